"""Serves the low-level `Server` of mcp 1.x and 2.x, which has no HTTP+SSE app, and in 1.x no HTTP app either."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ..asgi import ASGIApp, Receive, Scope, Send, send_error
from ..libraries.mcp import (
    know_tool_schemas,
    say_of_itself,
    seal_request_state,
    settle_version,
    shared_lifespan,
    speaks_modern,
)
from .base import ServeOptions, class_names
from .exits import contain_exits
from .failures import watch_failures
from .session_manager import SessionManager
from .sse import sse_app
from .tool_errors import log_tool_errors
from .tool_schemas import ToolSchemas


class LowLevelServer:
    """Serves both generations, since the session manager has kept its name and its arguments."""

    kind = "lowlevel"

    @classmethod
    def infer(cls, candidate: object) -> bool:
        return "mcp.server.lowlevel.server.Server" in class_names(candidate)

    def __init__(self, server: Any, options: ServeOptions) -> None:
        self._server = server
        settle_version(server)
        contain_exits(server)
        watch_failures(server, server)
        initialization = options.given.initialization
        if initialization is not None:
            # The program has passed these to run().
            say_of_itself(server, initialization)
        is_modern = speaks_modern(server)
        self._http = SessionManager(server, sessions=options.sessions)
        self._stateless = self._http if is_modern or not options.sessions else SessionManager(server, sessions=False)
        self.http: ASGIApp = self._serve
        self.stateless: ASGIApp | None = None if is_modern else self._stateless.handle
        self.sse: ASGIApp | None = sse_app(server)
        self._schemas = ToolSchemas()
        if is_modern:
            seal_request_state(server, options.state_key)
            know_tool_schemas(server, self._schemas.lookup)
        else:
            log_tool_errors(server)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The manager would answer on every path.
        if scope["path"] == "/mcp":
            await self._http.handle(scope, receive, send)
        else:
            await send_error(send, 404, -32600, "Not Found")

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        async with shared_lifespan(self._server), self._http.run(), self._stateless.run():
            yield

    def learn_tools(self, tools: Sequence[Mapping[str, Any]]) -> None:
        self._schemas.learn(tools)
