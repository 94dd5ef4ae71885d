"""Reads what a function knows of somebody else's authorization server, whose tokens its callers show.

It is a file beside the manifest, since keys do not fit into a function's variables, and so is part of the version.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

from ...guard.access import Access
from ...guard.issuer_keys import IssuerKeys, Keys

FILE_NAME = "issuer.json"


class IssuerFile(TypedDict):
    """Is the file: the issuer (platform_cli.config.issuers.Issuer) with its keys and where they are, and the `scopes`
    for a client that has none yet. Without `has_scopes` every token is good for everything.
    """

    issuer: str
    audience: list[str]
    scope_claim: str
    jwks_uri: str
    jwks: Keys
    scopes: list[str]
    has_scopes: bool


def with_issuer(access: Access, task: Path, urls: Sequence[str]) -> Access:
    """Returns the access to a function in `task`, whose own `urls` may become more; the first is where clients are
    sent.
    """
    said: IssuerFile = json.loads((task / FILE_NAME).read_bytes())
    oauth: dict[str, Any] = {**said, "urls": urls}
    return Access(access.tokens, oauth, IssuerKeys(said["jwks_uri"]).renewed)
