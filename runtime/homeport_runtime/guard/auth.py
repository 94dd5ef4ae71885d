"""A bearer token in front of a deployment (RFC 6750): only its hash is here."""

from __future__ import annotations

import hashlib
import hmac

from ..asgi import ASGIApp, Headers, Receive, Scope, Send, header

# Open to everyone: it tells that the deployment is up, and nothing else.
OPEN_PATHS = ("/health",)
CHALLENGE = (b"www-authenticate", b'Bearer realm="homeport"')


class BearerToken:
    """`token_hash` is the sha256 of the token, in hexadecimal digits; or of several, with commas between them."""

    def __init__(self, token_hash: str) -> None:
        self._hashes = token_hash.split(",")

    def allows(self, scope: Scope) -> bool:
        if scope["path"] in OPEN_PATHS:
            return True
        token = bearer_token(scope)
        if token is None:
            return False
        given = hashlib.sha256(token.encode("latin-1")).hexdigest()
        # Each is compared, whichever it is: how long it takes tells nothing.
        known = [hmac.compare_digest(given, one) for one in self._hashes]
        return any(known)


def bearer_token(scope: Scope) -> str | None:
    """The token of the Authorization header (RFC 6750, section 2.1), None where it has none."""
    # The scheme's case does not matter: RFC 9110, section 11.1.
    scheme, _, token = (header(scope, b"authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def no_authorization(headers: Headers) -> Headers:
    return [(name, value) for name, value in headers if name != b"authorization"]


def without_authorization(app: ASGIApp) -> ASGIApp:
    """The server behind the guard does not see the token."""

    async def stripped(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "headers": no_authorization(scope["headers"])}, receive, send)

    return stripped
