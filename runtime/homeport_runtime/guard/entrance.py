"""Decides who comes in: by the Host and the Origin of a request, and by the token of its sender."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..asgi import ASGIApp, Scope
from .access import Access
from .auth import OPEN_PATHS, authenticator
from .caller import CALLER
from .cors import OwnCORS
from .names import Names
from .refusals import FORBIDDEN, Refusal
from .strangers import Strangers


class Entrance:
    """Compares requests with the deployment's `names`, and knows its callers by `access`, None to let everyone in.

    An Origin that is none of the names may come in if `app` itself allows it. `on_refused` gets the grant of each
    caller that has signed in and lacked a scope, None for a token with an unknown key.
    """

    def __init__(self, app: ASGIApp, names: Names, access: Access | None) -> None:
        self.on_refused: Callable[[str | None], None] = lambda _grant: None
        self.authenticator = authenticator(access, self._refused)
        self._names = names
        self._cors = OwnCORS(app)
        self._strangers = Strangers()

    def admit(self, access: Access) -> None:
        """Lets in whom `access` names, and nobody else from now on."""
        if self.authenticator is not None:
            self.authenticator = authenticator(access, self._refused)

    def _refused(self, grant: str | None) -> None:
        self.on_refused(grant)

    def take_used(self) -> list[str]:
        """Returns the hashes of the tokens that callers have shown since this was asked before."""
        return self.authenticator.take_used() if self.authenticator is not None else []

    def document(self, scope: Scope) -> Mapping[str, Any] | None:
        """Returns the JSON document that everyone may read at a request's path, None if there is none."""
        return self.authenticator.document(scope) if self.authenticator is not None else None

    def host_refusal(self, path: str, host: bytes | None) -> Refusal | None:
        """Returns why a request for a Host is refused, None if it is one of the names."""
        named = host.decode("latin-1") if host is not None else None
        if path in OPEN_PATHS or self._names.allows_host(named):
            return None
        return Refusal(421, "unknown_host", self._strangers.host(named, self._names.place))

    def knows(self, scope: Scope) -> bool:
        """Tells whether the sender of a request may call, and keeps in its scope who that is."""
        if self.authenticator is None or scope["path"] in OPEN_PATHS:
            return True
        scope[CALLER] = caller = self.authenticator.caller(scope)
        return caller is not None

    async def origin_refusal(self, scope: Scope, origin: str, *, is_known: bool) -> Refusal | None:
        """Returns why a page of that Origin may not send a request, None if it may."""
        if self._names.allows_origin(origin):
            return None
        # The app is only asked for callers that may use it.
        if is_known and scope["type"] == "http" and await self._cors.allows(scope, origin):
            return None
        return Refusal(403, "unknown_origin", self._strangers.origin(origin), FORBIDDEN, "Forbidden")
