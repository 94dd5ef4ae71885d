"""Lets callers of a function show tokens of an authorization server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...guard.access import Access
from ...guard.issuer_file import read_issuer
from ...guard.issuer_keys import IssuerKeys


def with_issuer(access: Access, task: Path, urls: Sequence[str]) -> Access:
    """Returns the access to a function in `task`, whose own `urls` may become more; the first is where clients are
    sent.
    """
    said = read_issuer(task)
    if said is None:
        return access
    keys = IssuerKeys(said["jwks_uri"])
    return Access(access.tokens, {**said, "urls": urls}, keys.renewed, keys.ended)
