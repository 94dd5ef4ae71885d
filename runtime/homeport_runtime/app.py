"""One ASGI app per deployment: /mcp, /sse + /messages/, /health, the server's own other paths, the guard in front."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from .asgi import Headers, Receive, Scope, Send, send_error, send_json
from .discovery import record
from .errors import ServerError
from .guard.http import Guard
from .guard.names import Names
from .modern import ModernTranslator
from .probe import NoMCPEndpoint, Probe, exchange, has_stream
from .servers.base import ServerAdapter
from .servers.sse_facade import SSEFacade
from .sessions import SessionKeeper
from .subscriptions import NoSubscriptions

# What requests from inside the process say they were sent to; the SDKs' own check wants a port.
PROBE_HOST = "127.0.0.1:80"


class App:
    """The deployment. `guard` counts its requests; `lifespan` is entered once, before the first of them.

    `sessions` is the folder that keeps stateful sessions, None to serve without; `token_hash` that of the bearer
    token that every request must bring, None to serve everyone. Without `listens` nobody may hold a
    connection open to be told of changes (subscriptions/listen, 2026-07-28).
    """

    def __init__(
        self,
        adapter: ServerAdapter,
        names: Names,
        *,
        sessions: Path | None,
        token_hash: str | None = None,
        listens: bool = True,
    ) -> None:
        self._adapter = adapter
        self._http = adapter.http
        if adapter.stateless is not None:
            self._http = ModernTranslator(adapter.http, adapter.stateless)
        if sessions is not None and adapter.kind != "asgi":
            self._http = SessionKeeper(self._http, sessions)
        if not listens:
            self._http = NoSubscriptions(self._http)
        self._sse = adapter.sse
        self._mcp_path = "/mcp"
        # Without sessions nothing is ever sent on a GET stream, and some SDKs would hold it open for ever.
        self._only_post = sessions is None and adapter.kind != "asgi"
        self.guard = Guard(self._route, names, token_hash)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.guard(scope, receive, send)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if scope["type"] != "http":
            await self._http(scope, receive, send)
        elif path in ("/mcp", "/mcp/"):
            if path != self._mcp_path:
                # The SDKs answer this with a redirect, which not every client follows with its body.
                scope = {**scope, "path": self._mcp_path, "raw_path": self._mcp_path.encode()}
            if self._only_post and scope.get("method") != "POST":
                await send_error(send, 405, -32600, "Method Not Allowed", [(b"allow", b"POST")])
                return
            await self._http(scope, receive, send)
        elif path in ("/sse", "/messages") or path.startswith("/messages/"):
            await self._sse(scope, receive, send)
        elif path == "/health":
            await send_json(send, 200, {"status": "ok"})
        else:
            await self._http(scope, receive, send)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        async with self._adapter.lifespan():
            yield

    async def warm_up(self, tools: Sequence[Mapping[str, Any]] | None = None) -> dict[str, Any] | None:
        """Asks the server what every client asks first; returns its contract, None if it has no /mcp of its own.

        With the `tools` that the same server has listed before, nothing is asked: the first request comes sooner.
        """
        if tools is not None and self._adapter.kind != "asgi":
            self._adapter.learn_tools(tools)
            return None
        contract = await self._ask()
        if contract is None and self._adapter.kind == "asgi":
            # A server that the app has mounted is answered by Starlette at the longer path only.
            self._mcp_path = "/mcp/"
            contract = await self._ask()
        await self._complete_transports(contract is not None)
        if contract is not None:
            self._adapter.learn_tools(contract["tools"])
        return contract

    async def record(self) -> dict[str, Any]:
        """What the server says to every client alike (discovery.py)."""

        # Through the guard: what is behind it goes by the message that the guard has read.
        async def ask(headers: Headers, body: bytes) -> tuple[int, Headers, bytes]:
            return await exchange(self.guard, "POST", "/mcp", headers, body)

        return await record(ask)

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> None:
        """One call from inside, of which there is no record."""
        await Probe(self._route, PROBE_HOST).request("tools/call", {"name": tool, "arguments": arguments})

    async def _ask(self) -> dict[str, Any] | None:
        try:
            return await Probe(self._route, PROBE_HOST).contract()
        except NoMCPEndpoint:
            return None

    async def _complete_transports(self, has_http: bool) -> None:
        """An app of the user's own may have only one of the transports."""
        if self._adapter.kind != "asgi" or await has_stream(self._sse, "/sse", PROBE_HOST):
            return
        if not has_http:
            raise ServerError(
                "the app answers neither POST /mcp nor GET /sse",
                hint="mount the MCP server's streamable HTTP app at /mcp",
            )
        self._sse = SSEFacade(self._route)
