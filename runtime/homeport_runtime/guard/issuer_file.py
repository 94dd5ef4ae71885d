"""Reads what a function or an image knows of an authorization server whose tokens its callers show.

It is a file beside the manifest, since keys do not fit into variables, and so is part of the release.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypedDict

from .issuer_keys import Keys

FILE_NAME = "issuer.json"


class IssuerFile(TypedDict):
    """Is the file: the issuer (platform_cli.config.issuers.Issuer) with its keys and where they are, the `urls` of the
    server without a path as far as they are known, and the `scopes` for a client that has none yet. Without
    `has_scopes` every token is good for everything. An issuer that `is_platform` lists the sign-ins that have ended
    beside its keys, and hears of calls that lacked a scope.
    """

    issuer: str
    audience: list[str]
    scope_claim: str
    jwks_uri: str
    jwks: Keys
    urls: list[str]
    scopes: list[str]
    has_scopes: bool
    is_platform: bool


def read_issuer(folder: Path) -> IssuerFile | None:
    """Returns the content of the file in `folder`, None if there is none."""
    try:
        said: IssuerFile = json.loads((folder / FILE_NAME).read_bytes())
    except FileNotFoundError:
        return None
    return said
