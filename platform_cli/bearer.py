"""Makes homeport's bearer tokens, and the hashes that are stored in their place."""

from __future__ import annotations

import hashlib
import secrets

# The number of random bytes in a token. So many cannot be guessed, so a plain SHA-256 protects as well as a slow hash.
ENTROPY = 32
PREFIX = "homeport_"


def make_token() -> str:
    """Returns a new random bearer token."""
    return PREFIX + secrets.token_urlsafe(ENTROPY)


def hash_of(token: str) -> str:
    """Returns the SHA-256 of a token in hexadecimal digits, which is all that a guard gets to know of it."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
