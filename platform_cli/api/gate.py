"""Guards the TCP side of the control plane: it lets in known host names, valid tokens, and routes
for other machines.
"""

from __future__ import annotations

from collections.abc import Callable

from homeport_runtime.asgi import ASGIApp, Receive, Scope, Send, header, send_json
from homeport_runtime.guard.auth import CHALLENGE, bearer_token
from homeport_runtime.guard.names import Names

from ..errors import PlatformError
from .failure import error_answer

# The path to which GitHub sends its deliveries.
WEBHOOK_PATH = "/github/webhook"
# The prefixes of the paths that answer over TCP; all others answer on the Unix socket alone.
REMOTE = ("/v1/projects", "/v1/builds", "/v1/github", "/v1/alerts")
REMOTE_EXACT = ("/v1/platform", "/metrics")


class Gate:
    """Guards the API `app` and the `webhook`, an ASGI middleware. `find_open` returns the app of a path that everyone
    may ask for, None for all others.

    Without a valid token every path of the API gets the same answer, so that it reveals nothing. `accepts` tells
    whether a token is valid, and `names` which names the platform answers to; it is None where no other name leads
    here.
    """

    def __init__(
        self,
        app: ASGIApp,
        webhook: ASGIApp,
        accepts: Callable[[str], bool],
        names: Callable[[], Names] | None = None,
        find_open: Callable[[str], ASGIApp | None] = lambda _path: None,
    ) -> None:
        self._app = app
        self._webhook = webhook
        self._accepts = accepts
        self._names = names
        self._find_open = find_open

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
        elif not self._is_known(scope):
            await _refuse(send, 401, "the platform wants a valid token")
        elif not _is_remote(scope["path"]):
            await _refuse(send, 403, "this is only for the machine of the platform")
        else:
            await self._app(scope, receive, send)

    def _is_known(self, scope: Scope) -> bool:
        token = bearer_token(scope)
        return token is not None and self._accepts(token)


def _is_remote(path: str) -> bool:
    return path in REMOTE_EXACT or any(path == prefix or path.startswith(f"{prefix}/") for prefix in REMOTE)


async def _refuse(send: Send, status: int, reason: str) -> None:
    hint = "`homeport platform token create NAME` makes one, `homeport platform login URL` keeps it"
    error = PlatformError(reason, hint=hint if status == 401 else None)
    headers = [(b"connection", b"close")]
    if status == 401:
        headers.append(CHALLENGE)
    await send_json(send, status, error_answer(error), headers)
