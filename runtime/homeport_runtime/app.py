"""Composes a deployment's ASGI app: the guard in front of /mcp, /sse + /messages/, /health and the
server's own paths.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .asgi import ASGIApp, Headers, Message, Receive, Scope, Send, at, send_error, send_json
from .guard.access import Access
from .guard.cors import is_preflight
from .guard.http import Guard
from .guard.names import Names
from .guard.paths import Paths
from .libraries.gaps import record_gap
from .libraries.sse_starlette import forget_ended_loops
from .protocol.contract import PROBE_HOST, probe_endpoints, read_contract, refuses_names
from .protocol.discovery import record
from .protocol.endpoints import HTTP, MESSAGES_PATH, SSE, Endpoint, find_endpoints, has_route
from .protocol.modern import ModernTranslator
from .protocol.probe import Probe, exchange
from .protocol.sessions import SessionKeeper
from .protocol.subscriptions import NoSubscriptions
from .servers.base import ServerAdapter
from .servers.http_facade import HTTPFacade
from .servers.sse_facade import SSEFacade

if TYPE_CHECKING:
    from .guard.judge import Judge

MCP_PATH, SSE_PATH = "/mcp", "/sse"


class App:
    """Is the ASGI app of a deployment, whose `guard` counts its requests, and whose `lifespan` is entered before the
    first.

    `sessions` is the folder that keeps stateful sessions, None to serve without sessions. `access` says who may call,
    None to serve everyone, and `judge` what they may do, None to allow everything. Without `listens` no client may hold
    a connection open for notifications of changes (subscriptions/listen, 2026-07-28).
    """

    def __init__(
        self,
        adapter: ServerAdapter,
        names: Names,
        *,
        sessions: Path | None,
        access: Access | None = None,
        judge: Judge | None = None,
        listens: bool = True,
    ) -> None:
        self._adapter = adapter
        self._is_own = adapter.kind == "asgi"
        self._sessions = sessions
        self._listens = listens
        # If callers need a token, /health answers only that the deployment is up, and not what the app says there.
        self._asks_for_health = access is None
        # Without sessions nothing is ever sent on a GET stream, and some SDKs would hold it open for ever.
        self._only_post = sessions is None and not self._is_own
        self._app = adapter.http if listens else NoSubscriptions(adapter.http)
        self.guard = Guard(self._route, names, access, judge)
        # The app whose routes are read; an ASGI app of the user's own may wrap it in middleware.
        self._routed = getattr(adapter, "app", adapter.http)
        found = find_endpoints(self._routed)
        if not self._is_own:
            found = tuple(each for each in found if each.transport == HTTP)[:1] or (Endpoint(MCP_PATH),)
        self._endpoints: tuple[Endpoint, ...] = ()
        self._settle(found)

    def _settle(self, endpoints: Sequence[Endpoint]) -> None:
        """Decides which app answers /mcp and /sse, and under which other paths."""
        self._endpoints = tuple(endpoints)
        http = [each for each in endpoints if each.transport == HTTP]
        streams = [each for each in endpoints if each.transport == SSE]
        main, stream = _main(http, MCP_PATH), _main(streams, SSE_PATH)
        if not http and stream is not None:
            inside = HTTPFacade(stream.inside, stream.path) if stream.inside else None
            self._asked: Sequence[Endpoint] = (Endpoint(MCP_PATH, inside=inside),)
            facade = HTTPFacade(self._adapter.http, stream.path)
            self._mcp: ASGIApp | None = self._layered(ModernTranslator(facade, facade))
            self._own_mcp: ASGIApp = facade
        else:
            self._asked = http
            self._own_mcp = at(self._adapter.http, main.path) if main else self._adapter.http
            self._mcp = self._layered(self._translated(main.path)) if main else None
        self._sse = self._sse_app(stream, has_main=main is not None)
        # An endpoint at /sse that no route declares belongs to HTTP+SSE.
        is_hidden = main is None or (main.path == SSE_PATH and not self._is_own)
        self._mcp_paths = _forms(MCP_PATH) if main is None or is_hidden else _forms(MCP_PATH) | _forms(main.path)
        self._stream_paths = frozenset((SSE_PATH, *((stream.path,) if stream else ())))
        own = [each.path for each in streams]
        messages = {each.messages.rstrip("/") for each in streams} | {MESSAGES_PATH.rstrip("/")}
        self.guard.paths = Paths(
            self._mcp_paths.union(*(_forms(each.path) for each in http)),
            frozenset((SSE_PATH, *own)),
            tuple(messages - {""}),
        )

    def _translated(self, path: str) -> ASGIApp:
        app, stateless = at(self._adapter.http, path), self._adapter.stateless
        return app if stateless is None else ModernTranslator(app, at(stateless, path))

    def _layered(self, app: ASGIApp) -> ASGIApp:
        if self._sessions is not None and not self._is_own:
            app = SessionKeeper(app, self._sessions)
        return at(app if self._listens else NoSubscriptions(app), MCP_PATH)

    def _sse_app(self, stream: Endpoint | None, *, has_main: bool) -> ASGIApp:
        if self._adapter.sse is not None:
            return self._adapter.sse
        if stream is not None:
            return _stream_app(self._adapter.http, stream)
        if has_main and not (self._is_own and has_route(self._routed, SSE_PATH)):
            # Each message is routed through the app again, at the path that the app's own guards expect.
            return SSEFacade(self._route)
        return self._adapter.http

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.guard(scope, receive, send)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if scope["type"] != "http":
            await self._adapter.http(scope, receive, send)
        elif path in self._mcp_paths:
            await self._answer_mcp(scope, receive, send)
        elif path in self._stream_paths or path == "/messages" or path.startswith(MESSAGES_PATH):
            await self._sse(scope, receive, send)
        elif path == "/health" and self._asks_for_health:
            await _answer_health(self._app, scope, receive, send)
        elif path == "/health":
            await send_json(send, 200, {"status": "ok"})
        else:
            await self._app(scope, receive, send)

    async def _answer_mcp(self, scope: Scope, receive: Receive, send: Send) -> None:
        if is_preflight(scope):
            await self._own_mcp(scope, receive, send)
        elif self._mcp is None:
            paths = ", ".join(each.path for each in self._asked)
            await send_error(send, 404, -32600, f"this app has several MCP servers: {paths}")
        elif self._only_post and scope.get("method") != "POST":
            await send_error(send, 405, -32600, "Method Not Allowed", [(b"allow", b"POST")])
        else:
            await self._mcp(scope, receive, send)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        forget_ended_loops()
        async with self._adapter.lifespan():
            yield

    async def warm_up(self, tools: Sequence[Mapping[str, Any]] | None = None) -> dict[str, Any] | None:
        """Asks the server what every client asks first, and returns its contract.

        With `tools`, the list from an earlier contract of the same server, it asks nothing and returns None, so that
        the first request is answered sooner.
        """
        if not self._endpoints:
            self._settle(await probe_endpoints(self._adapter.http))
        elif tools is not None:
            self._adapter.learn_tools(tools)
            return None
        contract = await read_contract(self._route, self._asked)
        self._adapter.learn_tools(contract["tools"])
        await self._check_names()
        return contract

    async def _check_names(self) -> None:
        """Records a gap if the SDK still checks Host, which the guard has done, and which would
        allow only localhost.
        """
        for endpoint in self._asked[:1]:
            if await refuses_names(self._route, endpoint):
                effect = "clients that use the deployment's own name get HTTP 421"
                record_gap("mcp", "the check of Host headers", effect)

    async def record(self) -> dict[str, Any]:
        """Records the answers that the server gives to every client alike (discovery.py)."""

        # Asks through the guard, since the apps behind it use the message that the guard has parsed.
        async def ask(headers: Headers, body: bytes) -> tuple[int, Headers, bytes]:
            return await exchange(self.guard, "POST", MCP_PATH, headers, body)

        return await record(ask)

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> None:
        """Calls a tool from inside the process, without a call record."""
        await Probe(self._route, PROBE_HOST).request("tools/call", {"name": tool, "arguments": arguments})


def _forms(path: str) -> frozenset[str]:
    """Returns the path with and without a final slash, since some clients do not follow a redirect between the two."""
    bare = path.rstrip("/")
    return frozenset((bare or "/", f"{bare}/"))


def _main(endpoints: Sequence[Endpoint], path: str) -> Endpoint | None:
    """Returns the endpoint for `path`: the one at that path, else the only one, else None."""
    there = [each for each in endpoints if each.path in _forms(path)]
    return (there or list(endpoints))[0] if there or len(endpoints) == 1 else None


def _stream_app(app: ASGIApp, stream: Endpoint) -> ASGIApp:
    """Serves the app's HTTP+SSE endpoint at the paths that every deployment has, too."""
    get = at(app, stream.path)

    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in (SSE_PATH, stream.path):
            await get(scope, receive, send)
        elif stream.messages.startswith(MESSAGES_PATH):
            await app(scope, receive, send)
        else:
            await at(app, stream.messages)(scope, receive, send)

    return routed


async def _answer_health(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Sends the app's own answer, or {"status": "ok"} if the app redirects or refuses the request."""
    passing = False

    async def watched(message: Message) -> None:
        nonlocal passing
        if message["type"] == "http.response.start":
            passing = not 300 <= message["status"] < 500
        if passing:
            await send(message)

    await app(scope, receive, watched)
    if not passing:
        await send_json(send, 200, {"status": "ok"})
