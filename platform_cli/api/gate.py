"""Guards the TCP side of the control plane: it lets in known host names, valid tokens, and routes
for other machines.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Protocol

from homeport_runtime.asgi import ASGIApp, Message, Receive, Scope, Send, header, send_json
from homeport_runtime.guard.auth import CHALLENGE, bearer_token
from homeport_runtime.guard.names import Names

from ..errors import PlatformError
from .failure import error_answer

# The path to which GitHub sends its deliveries.
WEBHOOK_PATH = "/github/webhook"
LOGIN_HINT = "`homeport platform token create NAME` makes one, `homeport platform login URL` keeps it"
# The prefixes of the paths that answer over TCP; all others answer on the Unix socket alone.
REMOTE = ("/v1/projects", "/v1/builds", "/v1/github", "/v1/alerts", "/v1/resources")
REMOTE_EXACT = ("/v1/platform", "/v1/issuer", "/v1/console/codes", "/metrics")
_PROJECT = "/v1/projects/[^/]+"
# What the key of a browser that shows the console may ask for: it looks, tries what a server offers, rolls back, and
# takes rights away. It makes no token, sets no secret, deploys and destroys nothing.
CONSOLE = re.compile(
    "GET /v1/(platform|projects|tokens|alerts)"
    "|POST /v1/alerts/[^/]+/test"
    f"|GET {_PROJECT}(/(releases|deployments|builds|difference|metrics|calls|logs|secrets|tokens|users))?"
    f"|GET {_PROJECT}/audit(/verification)?"
    f"|(GET|PATCH) {_PROJECT}/errors(/[0-9]+)?"
    f"|POST {_PROJECT}/(rollback|try|try/[^/]+/replies)"
    f"|DELETE {_PROJECT}/(tokens|users)/.+"
    "|DELETE /v1/tokens/console-[0-9a-f]+"
)
# The seconds between looks whether the key of an answer that goes on is valid still.
RECHECK_S = 1.0


class Keys(Protocol):
    """Knows the keys of browsers that show the console; only `accept` records a use."""

    def accept(self, key: str) -> bool: ...

    def is_valid(self, key: str) -> bool: ...


class Gate:
    """Guards the API `app` and the `webhook`, an ASGI middleware. `find_open` returns the app of a path that everyone
    may ask for, None for all others.

    Without a valid token every path of the API gets the same answer, so that it reveals nothing. `accepts` tells
    whether a token is valid, and `console_keys` knows those of browsers. `names` says which names the platform
    answers to; it is None where no other name leads here.
    """

    def __init__(
        self,
        app: ASGIApp,
        webhook: ASGIApp,
        accepts: Callable[[str], bool],
        names: Callable[[], Names] | None = None,
        find_open: Callable[[str], ASGIApp | None] = lambda _path: None,
        console_keys: Keys | None = None,
    ) -> None:
        self._app = app
        self._webhook = webhook
        self._accepts = accepts
        self._names = names
        self._find_open = find_open
        self._console_keys = console_keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["path"] == WEBHOOK_PATH:
            # The signature authenticates the request, under whatever name a tunnel leads here.
            await self._webhook(scope, receive, send)
        elif self._names is not None and not self._names().allows_host(header(scope, b"host")):
            await _refuse(send, 421, "the platform does not answer to that Host")
        elif (found := self._find_open(scope["path"])) is not None:
            await found(scope, receive, send)
        else:
            await self._api(scope, receive, send)

    async def _api(self, scope: Scope, receive: Receive, send: Send) -> None:
        token, keys = bearer_token(scope), self._console_keys
        if token is not None and keys is not None and keys.accept(token):
            if CONSOLE.fullmatch(f"{scope['method']} {scope['path']}") is None:
                await _refuse(send, 403, "the console may not do this", "use the command line")
            else:
                await _while_valid(self._app, scope, receive, send, lambda: keys.is_valid(token))
        elif token is None or not self._accepts(token):
            await _refuse(send, 401, "the platform wants a valid token", LOGIN_HINT)
        elif not _is_remote(scope["path"]):
            await _refuse(send, 403, "this is only for the machine of the platform")
        else:
            await self._app(scope, receive, send)


def _is_remote(path: str) -> bool:
    return path in REMOTE_EXACT or any(path == prefix or path.startswith(f"{prefix}/") for prefix in REMOTE)


async def _while_valid(app: ASGIApp, scope: Scope, receive: Receive, send: Send, is_valid: Callable[[], bool]) -> None:
    """Calls `app`, and ends its answer in good order when the token of the request is valid no more."""
    is_open = False

    async def noted(message: Message) -> None:
        nonlocal is_open
        is_open = message["type"] == "http.response.start" or bool(message.get("more_body"))
        await send(message)

    task = asyncio.ensure_future(app(scope, receive, noted))
    try:
        while not (await asyncio.wait({task}, timeout=RECHECK_S))[0]:
            if not is_valid():
                break
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    if not task.cancelled():
        await task
    elif is_open:
        await send({"type": "http.response.body", "body": b""})


async def _refuse(send: Send, status: int, reason: str, hint: str | None = None) -> None:
    headers = [(b"connection", b"close")]
    if status == 401:
        headers.append(CHALLENGE)
    await send_json(send, status, error_answer(PlatformError(reason, hint=hint)), headers)
