"""Bearer tokens of ours: how one is made, and its hash, which is all that is kept of it."""

from __future__ import annotations

import hashlib
import secrets

# Random bytes; at this length a plain SHA-256 is as good as a slow hash, since nobody can guess.
ENTROPY = 32
PREFIX = "homeport_"


def make_token() -> str:
    return PREFIX + secrets.token_urlsafe(ENTROPY)


def hash_of(token: str) -> str:
    """The sha256 in hexadecimal digits: what the guard of a deployment is told."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
