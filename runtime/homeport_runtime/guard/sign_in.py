"""Verifies callers by OAuth (MCP 2025-11-25 and 2026-07-28, basic/authorization), and tells clients where to get a
token (RFC 9728).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ..asgi import Headers, Scope, header
from .access import Access
from .auth import ClientTokens, bearer_token, scopes_of
from .caller import Caller
from .own_tokens import MAX_REMEMBERED, OwnTokens

if TYPE_CHECKING:
    from .issuing_platform import IssuingPlatform

METADATA_PATH = "/.well-known/oauth-protected-resource"
# The seconds within which the refusals of one caller are reported once.
REPORT_S = 1.0
# The paths that are repeated in a challenge; others could end its line.
_PLAIN_PATH = re.compile(r"(/[A-Za-z0-9._~-]{1,100}){1,10}")


class AccessTokens(Protocol):
    """Reads the access tokens of one authorization server."""

    def read(self, token: str) -> Mapping[str, Any] | None:
        """Returns the claims of a token, None if it is not valid now."""
        ...


class SignIn:
    """Is the authenticator of callers that have signed in, beside those with a token that was given to them by hand.

    `oauth` is what the control plane says: the `issuer` of tokens, the `urls` of this deployment without a path, and
    the `scopes` for a client that has none yet. Without `has_scopes` every token is good for everything. The platform's
    own tokens have `keys`, in hexadecimal digits by id; those of others `jwks`, `audience` and `scope_claim`. `refused`
    hears of each caller, by its grant, that lacked a scope, and gets None for a token whose key is unknown; then
    `access` may know the issuer's present keys. A platform elsewhere (`is_platform`) hears of such a caller itself, and
    tells which sign-ins have `ended`.
    """

    def __init__(self, access: Access, oauth: Mapping[str, Any], refused: Callable[[str | None], None]) -> None:
        self._issuer: str = oauth["issuer"]
        self._urls: Sequence[str] = oauth["urls"]
        self._scopes: Sequence[str] = oauth["scopes"]
        self._has_scopes: bool = oauth["has_scopes"]
        self._tokens = ClientTokens(access.tokens)
        self._refused = refused
        self._platform = _platform(oauth)
        told = frozenset[str](oauth.get("ended", ()))
        self._ended: Callable[[float], Collection[str]] = access.ended or (lambda _issued_at: told)
        # When each caller that was refused, by its grant, was reported last.
        self._reported: dict[str | None, float] = {}
        self._renewed = access.renewed
        self._access_tokens = _access_tokens(oauth, self._key_wanted)

    def caller(self, scope: Scope) -> Caller | None:
        claims = self._claims(scope)
        if claims is None:
            return self._tokens.caller(scope)
        granted = frozenset(str(claims.get("scope", "")).split()) if self._has_scopes else None
        return Caller(str(claims.get("client_id", "")), str(claims.get("sub", "")) or None, granted, by_oauth=True)

    def unauthorized(self, scope: Scope) -> Headers:
        said = [f'resource_metadata="{self._metadata_url(scope)}"']
        if self._scopes:
            said.append(f'scope="{" ".join(self._scopes)}"')
        # RFC 6750, section 3.1: no error where no token was shown.
        if bearer_token(scope) is not None:
            said = ['error="invalid_token"', 'error_description="the token is not valid here, or has expired"', *said]
        return _challenge(said)

    async def forbidden(self, scope: Scope, caller: Caller, needed: Sequence[str]) -> Headers:
        claims, token = self._claims(scope), bearer_token(scope)
        if claims is not None and token is not None and claims.get("jti") and self._is_due(str(claims["jti"])):
            if self._platform is not None:
                # Before the answer, since the client goes there with the next message that it sends.
                await self._platform.hear_of_refusal(token)
            else:
                self._refused(str(claims["jti"]))
        said = ['error="insufficient_scope"', scopes_of(caller, needed)]
        return _challenge([*said, f'resource_metadata="{self._metadata_url(scope)}"'])

    def document(self, scope: Scope) -> Mapping[str, Any] | None:
        path: str = scope["path"].rstrip("/")
        if path != METADATA_PATH and not path.startswith(f"{METADATA_PATH}/"):
            return None
        resource = path.removeprefix(METADATA_PATH) or "/mcp"
        if not _PLAIN_PATH.fullmatch(resource):
            return None
        return {
            "resource": f"{self._url(scope)}{resource}",
            "authorization_servers": [self._issuer],
            **({"scopes_supported": list(self._scopes)} if self._scopes else {}),
            "bearer_methods_supported": ["header"],
        }

    def take_used(self) -> list[str]:
        return self._tokens.take_used()

    def _key_wanted(self) -> Sequence[Mapping[str, Any]] | None:
        if self._is_due(None):
            self._refused(None)
        return self._renewed()

    def _is_due(self, grant: str | None) -> bool:
        """Tells whether a refusal is to be reported: not each of many, since the control plane writes them down."""
        now = time.monotonic()
        if now - self._reported.get(grant, -REPORT_S) < REPORT_S:
            return False
        if len(self._reported) >= MAX_REMEMBERED:
            self._reported.clear()
        self._reported[grant] = now
        return True

    def _claims(self, scope: Scope) -> Mapping[str, Any] | None:
        token = bearer_token(scope)
        claims = self._access_tokens.read(token) if token is not None and token.count(".") == 2 else None
        return None if claims is None or self._has_ended(claims) else claims

    def _has_ended(self, claims: Mapping[str, Any]) -> bool:
        return self._platform is not None and claims.get("jti") in self._ended(claims.get("iat", 0))

    def _metadata_url(self, scope: Scope) -> str:
        path: str = scope["path"].rstrip("/")
        if path == "/messages" or path.startswith("/messages/"):
            path = "/sse"
        return f"{self._url(scope)}{METADATA_PATH}{path if _PLAIN_PATH.fullmatch(path) else '/mcp'}"

    def _url(self, scope: Scope) -> str:
        """Returns the URL by which a client came, as far as it is one of this deployment's, else the first."""
        host = (header(scope, b"host") or "").lower()
        return next((url for url in self._urls if url.partition("://")[2] == host), self._urls[0])


def _platform(oauth: Mapping[str, Any]) -> IssuingPlatform | None:
    if not oauth.get("is_platform"):
        return None
    from .issuing_platform import IssuingPlatform

    return IssuingPlatform(oauth["issuer"])


def _access_tokens(
    oauth: Mapping[str, Any], key_wanted: Callable[[], Sequence[Mapping[str, Any]] | None]
) -> AccessTokens:
    if "jwks" in oauth:
        from .issued_tokens import IssuedTokens

        return IssuedTokens(oauth, key_wanted)
    keys = {name: bytes.fromhex(key) for name, key in oauth["keys"].items()}
    return OwnTokens(oauth["issuer"], oauth["urls"], keys)


def _challenge(said: Sequence[str]) -> Headers:
    return [(b"www-authenticate", f"Bearer {', '.join(said)}".encode("latin-1"))]
