"""Checks the bearer token of a deployment (RFC 6750), of which only the hash is known here."""

from __future__ import annotations

import hashlib
import hmac

from ..asgi import ASGIApp, Headers, Receive, Scope, Send, header

# These paths are open to everyone, and tell only that the deployment is up.
OPEN_PATHS = ("/health",)
CHALLENGE = (b"www-authenticate", b'Bearer realm="homeport"')


class BearerToken:
    """Allows requests with a token whose SHA-256, in hexadecimal digits, is in `token_hash`, where commas separate
    several.
    """

    def __init__(self, token_hash: str) -> None:
        self._hashes = token_hash.split(",")

    def allows(self, scope: Scope) -> bool:
        if scope["path"] in OPEN_PATHS:
            return True
        token = bearer_token(scope)
        if token is None:
            return False
        given = hashlib.sha256(token.encode("latin-1")).hexdigest()
        # All are compared in constant time, so that the duration tells nothing.
        known = [hmac.compare_digest(given, one) for one in self._hashes]
        return any(known)


def bearer_token(scope: Scope) -> str | None:
    """Returns the token of the Authorization header (RFC 6750, section 2.1), None if it has none."""
    # The scheme is case-insensitive: RFC 9110, section 11.1.
    scheme, _, token = (header(scope, b"authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def no_authorization(headers: Headers) -> Headers:
    return [(name, value) for name, value in headers if name != b"authorization"]


def without_authorization(app: ASGIApp) -> ASGIApp:
    """Returns an app that does not see the token."""

    async def stripped(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "headers": no_authorization(scope["headers"])}, receive, send)

    return stripped
