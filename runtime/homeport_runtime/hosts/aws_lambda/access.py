"""Reads from a function's environment who may call it: its host names, and the hash of its token."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ...asgi import Scope
from ...guard.access import CLIENT_TOKENS, Access, read_clients
from ...guard.auth import OPEN_PATHS, ClientTokens, authenticator, bearer_token
from ...guard.names import Names

# The variable with the hash of the project's token, and of the one for a release's handshake.
TOKEN_HASH = "HOMEPORT_TOKEN_HASH"  # noqa: S105 - its name
# The variable with the secret of a project whose callers do not all show its token.
STATE_SECRET = "HOMEPORT_STATE_SECRET"  # noqa: S105 - its name
# The variable with the URL of somebody else's authorization server, whose tokens callers show.
ISSUER = "HOMEPORT_ISSUER"


class LambdaAccess:
    def __init__(self) -> None:
        names = [name for name in os.environ.get("HOMEPORT_NAMES", "").split(",") if name]
        self.names = Names(names)
        # The URLs for which an issuer's tokens may be; that of the function itself is learned.
        self._urls = [f"https://{name}" for name in names]
        # None lets everyone call.
        self.access = _access()
        if self.access is not None and os.environ.get(ISSUER):
            # Imported late, since few functions have one.
            from .issuer import with_issuer

            self.access = with_issuer(self.access, Path(os.environ["LAMBDA_TASK_ROOT"]), self._urls)
        self._authenticator = authenticator(_unhurried(self.access))
        # The first is the project's; the other is for the handshake of this release alone.
        project = Access.of_hashes(os.environ.get(TOKEN_HASH))
        self._project = ClientTokens(project.tokens[:1]) if project else None
        self._shown: str | None = None
        # The server and what it starts have no use for it, and might show their variables to callers.
        self._state_secret = os.environ.pop(STATE_SECRET, "")

    def state_secret(self) -> str | None:
        """Returns what instances share beside the table: the secret of a project whose callers do not all show
        its token, else that token, None as long as no caller has shown it.
        """
        return self._state_secret or (self._shown if self._project else "")

    @property
    def front_name(self) -> str | None:
        """Returns the host name at which callers learn of an issuer if they come through the project's distribution,
        None where they need not.
        """
        return self._urls[0].partition("://")[2] if self.access is not None and self.access.oauth is not None else None

    def learn(self, event: Mapping[str, Any]) -> None:
        """Adds the host name of an event, which is the only one that Lambda itself answers to, and keeps the project's
        token.
        """
        domain = event["requestContext"]["domainName"]
        self.names.add(domain)
        if (url := f"https://{domain}") not in self._urls:
            self._urls.append(url)
        if self._project is not None and self._shown is None:
            scope = _scope(event)
            if self._project.caller(scope) is not None:
                self._shown = bearer_token(scope)

    def allows(self, event: Mapping[str, Any]) -> bool:
        """Tells whether the guard would allow a request; the guard itself answers those that it refuses."""
        self.learn(event)
        headers = {name.lower(): value for name, value in event.get("headers", {}).items()}
        origin = headers.get("origin")
        return (
            self.names.allows_host(headers.get("host"))
            and (origin is None or self.names.allows_origin(origin))
            and self._is_known(_scope(event))
        )

    def _is_known(self, scope: Scope) -> bool:
        if self._authenticator is None or scope["path"] in OPEN_PATHS:
            return True
        return self._authenticator.caller(scope) is not None


def _unhurried(access: Access | None) -> Access | None:
    """Returns the access with which a function answers before it is ready: which sign-ins have ended is asked by then,
    and the guard waits for it.
    """
    if access is None or access.ended is None:
        return access
    return replace(access, ended=partial(access.ended, wait_s=0.0))


def _access() -> Access | None:
    access = Access.of_hashes(os.environ.get(TOKEN_HASH))
    # The server and what it starts have no use for the names in it.
    clients = os.environ.pop(CLIENT_TOKENS, "")
    if not clients:
        return access
    # Without the project's token only clients may call.
    return Access((*(access.tokens if access else ()), *read_clients(clients)))


def _scope(event: Mapping[str, Any]) -> Scope:
    """Returns what the guard needs of a request to know its token."""
    headers = {name.lower(): value for name, value in event.get("headers", {}).items()}
    authorization = str(headers.get("authorization", "")).encode("latin-1", "replace")
    return {"path": event["rawPath"], "headers": [(b"authorization", authorization)]}
