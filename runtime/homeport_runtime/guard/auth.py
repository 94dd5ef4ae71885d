"""Verifies who calls by the bearer token of a request (RFC 6750), of which only the hash is known here."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from ..asgi import ASGIApp, Headers, Receive, Scope, Send, first_headers
from .access import Access, ClientToken
from .caller import Caller

# These paths are open to everyone, and tell only that the deployment is up.
OPEN_PATHS = ("/health",)
# Below it are the documents by which clients find out how to get a token (RFC 8615).
WELL_KNOWN = "/.well-known/"
# The headers with a good token that are remembered.
MAX_KNOWN = 1000
CHALLENGE = (b"www-authenticate", b'Bearer realm="homeport"')


class Authenticator(Protocol):
    """Verifies callers, in one of the ways in which a project may know them."""

    def caller(self, scope: Scope) -> Caller | None:
        """Returns who sends a request, None if it shows nothing that is valid."""
        ...

    def unauthorized(self, scope: Scope) -> Headers:
        """Returns the challenge of the 401 for a request without a caller."""
        ...

    async def forbidden(self, scope: Scope, caller: Caller, needed: Sequence[str]) -> Headers:
        """Returns the challenge of the 403 for a call that needs the scopes `needed`, which the caller lacks."""
        ...

    def document(self, scope: Scope) -> Mapping[str, Any] | None:
        """Returns the JSON document that everyone may read at a request's path, None if there is none."""
        ...

    def take_used(self) -> list[str]:
        """Returns the hashes of the tokens that callers have shown since this was asked before."""
        ...


class ClientTokens:
    """Is the authenticator of those tokens that were given to clients by hand."""

    def __init__(self, tokens: Iterable[ClientToken]) -> None:
        self._callers = {
            each.hash: (
                Caller(each.client, each.user, None if each.scopes is None else frozenset(each.scopes)),
                each.expires_at,
            )
            for each in tokens
        }
        # The hashes of the tokens that callers have shown since `take_used`.
        self._used: set[str] = set()
        # The hashes of those tokens, by the headers in which they came: to find one says nothing of others, since
        # Python hashes bytes with a key of the process.
        self._known: dict[bytes, str] = {}

    def caller(self, scope: Scope) -> Caller | None:
        shown = _authorization(scope)
        given = self._known.get(shown)
        if given is None:
            given = self._verified(shown)
            if given is None:
                return None
        caller, expires_at = self._callers[given]
        if expires_at is not None and time.time() >= expires_at:
            return None
        self._used.add(given)
        return caller

    def _verified(self, shown: bytes) -> str | None:
        """Returns the hash of the token in a header, None if it is nobody's."""
        token = _token_in(shown)
        if token is None:
            return None
        # How long it takes to find a hash tells nothing of a token: nobody can choose what a SHA-256 begins with.
        given = hashlib.sha256(token.encode("latin-1")).hexdigest()
        if given not in self._callers:
            return None
        # A token may come with as much space before it as its owner likes.
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[shown] = given
        return given

    def unauthorized(self, _scope: Scope) -> Headers:
        return [CHALLENGE]

    async def forbidden(self, _scope: Scope, caller: Caller, needed: Sequence[str]) -> Headers:
        return [(b"www-authenticate", f'Bearer error="insufficient_scope", {scopes_of(caller, needed)}'.encode())]

    def document(self, _scope: Scope) -> Mapping[str, Any] | None:
        return None

    def take_used(self) -> list[str]:
        used, self._used = sorted(self._used), set()
        return used


def authenticator(
    access: Access | None, refused: Callable[[str | None], None] = lambda _grant: None
) -> Authenticator | None:
    """Returns what verifies the callers that `access` lets in, None if everyone may call.

    `refused` hears of each caller that has signed in and lacked a scope, by its grant, and gets None for a token whose
    key is unknown.
    """
    if access is None or access.oauth is None:
        return ClientTokens(access.tokens) if access is not None else None
    # Imported late, since most deployments do not need it.
    from .sign_in import SignIn

    return SignIn(access, access.oauth, refused)


def scopes_of(caller: Caller, needed: Sequence[str]) -> str:
    """Returns the attribute `scope` of a challenge (RFC 6750, section 3): all that was granted, then what is needed.

    MCP 2025-11-25, basic/authorization, recommends both; clients of mcp 1.x would else lose what they were granted.
    """
    # Another's authorization server may have granted what a header cannot say (RFC 6749, section 3.3).
    granted = sorted(filter(_can_be_said, caller.scopes or ()))
    return f'scope="{" ".join([*granted, *(each for each in needed if each not in granted)])}"'


def _can_be_said(name: str) -> bool:
    return name.isascii() and name.isprintable() and not set(name) & {'"', "\\"}


def bearer_token(scope: Scope) -> str | None:
    """Returns the token of the Authorization header (RFC 6750, section 2.1), None if it has none."""
    return _token_in(_authorization(scope))


def _authorization(scope: Scope) -> bytes:
    """Returns the first Authorization header, empty without one."""
    return first_headers(scope).get(b"authorization", b"")


def _token_in(authorization: bytes) -> str | None:
    # The scheme is case-insensitive: RFC 9110, section 11.1.
    scheme, _, token = authorization.decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def no_authorization(headers: Headers) -> Headers:
    """Returns the headers without any token."""
    named = dict(headers)
    shown = named.get(b"authorization")
    if shown is None:
        return headers
    if len(named) < len(headers):
        # A name is there twice, perhaps this one.
        return [field for field in headers if field[0] != b"authorization"]
    at = headers.index((b"authorization", shown))
    return headers[:at] + headers[at + 1 :]


def without_authorization(app: ASGIApp) -> ASGIApp:
    """Returns an app that does not see the token."""

    async def stripped(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "headers": no_authorization(scope["headers"])}, receive, send)

    return stripped
