"""Checks access tokens of the platform's own authorization server: JWTs (RFC 9068) with HMAC-SHA-256 by a key of the
project, for which the standard library is enough (platform_cli.signin.access_tokens signs them).
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import json
import string
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

# The longest token that is looked at, in characters.
MAX_TOKEN = 8192
# The number of verified tokens that are remembered.
MAX_REMEMBERED = 1000
_BASE64URL = frozenset(string.ascii_letters + string.digits + "-_")
_STANDARD = str.maketrans("-_", "+/")


class RememberedTokens:
    """Reads tokens, and remembers those that were verified; clocks may differ by `leeway_s` seconds."""

    def __init__(self, leeway_s: float = 0.0) -> None:
        self._leeway_s = leeway_s
        self._known: dict[bytes, Mapping[str, Any]] = {}

    def read(self, token: str) -> Mapping[str, Any] | None:
        """Returns the claims of a token, None if it is not valid now."""
        if len(token) > MAX_TOKEN:
            return None
        identity = hashlib.sha256(token.encode("latin-1")).digest()
        claims = self._known.get(identity)
        if claims is None:
            claims = self._verified(token)
            if claims is None:
                return None
            if len(self._known) >= MAX_REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[identity] = claims
        return claims if claims["exp"] + self._leeway_s > time.time() else None

    def forget(self) -> None:
        """Has every token verified anew."""
        self._known.clear()

    def _verified(self, token: str) -> Mapping[str, Any] | None:
        """Returns the claims of a token that is not remembered, None if nobody should believe it."""
        raise NotImplementedError


class OwnTokens(RememberedTokens):
    """Reads tokens that `issuer` has issued for this deployment, whose `urls` are without a path, signed with one of
    the `keys`, by key id.
    """

    def __init__(self, issuer: str, urls: Sequence[str], keys: Mapping[str, bytes]) -> None:
        super().__init__()
        self._issuer = issuer
        self._urls = urls
        self._keys = keys

    def _verified(self, token: str) -> Mapping[str, Any] | None:
        claims = read_signed(token, "HS256", self._has_signed)
        if claims is None or claims.get("iss") != self._issuer or not is_within(claims.get("aud"), self._urls):
            return None
        return claims

    def _has_signed(self, key_id: str, data: bytes, signature: bytes) -> bool:
        key = self._keys.get(key_id)
        return key is not None and hmac.compare_digest(hmac.new(key, data, hashlib.sha256).digest(), signature)


def read_signed(
    token: str, algorithm: str, has_signed: Callable[[str, bytes, bytes], bool]
) -> Mapping[str, Any] | None:
    """Returns the claims of a platform's access token, whenever it expires, None if it is none.

    `has_signed` tells whether the key of that id has made a signature, the last argument, of the bytes before it.
    """
    parts = token.split(".")
    if len(parts) != 3:
        return None
    head = _object(parts[0])
    if head is None or head.get("alg") != algorithm or head.get("typ") != "at+jwt" or "crit" in head:
        return None
    kid, signature = head.get("kid"), _decoded(parts[2])
    if not isinstance(kid, str) or signature is None:
        return None
    if not has_signed(kid, f"{parts[0]}.{parts[1]}".encode("latin-1"), signature):
        return None
    claims = _object(parts[1])
    return claims if claims is not None and type(claims.get("exp")) is int else None


def is_within(url: object, urls: Sequence[str]) -> bool:
    """Tells whether `url` is one of `urls`, or below one."""
    return isinstance(url, str) and any(url == each or url.startswith(f"{each}/") for each in urls)


def _object(part: str) -> dict[str, Any] | None:
    data = _decoded(part)
    try:
        found = json.loads(data) if data is not None else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _decoded(part: str) -> bytes | None:
    """Returns what a part says in base64url without padding (RFC 7515, section 2)."""
    if not _BASE64URL.issuperset(part):
        return None
    try:
        return binascii.a2b_base64(part.translate(_STANDARD) + "=" * (-len(part) % 4))
    except ValueError:
        return None
