"""The low-level `Server` of mcp 1.x and 2.x: it has no HTTP+SSE app, and in 1.x no HTTP app either."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ..asgi import ASGIApp, Receive, Scope, Send
from .base import ServeOptions, class_names, shared_lifespan
from .request_state import seal_request_state
from .sse import sse_app
from .tool_schemas import ToolSchemas


class LowLevelServer:
    """Both generations: the session manager has kept its name and its arguments."""

    kind = "lowlevel"

    @classmethod
    def infer(cls, candidate: object) -> bool:
        return "mcp.server.lowlevel.server.Server" in class_names(candidate)

    def __init__(self, server: Any, options: ServeOptions) -> None:
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        self._server = server
        self.speaks_modern = hasattr(server, "streamable_http_app")
        self._manager = StreamableHTTPSessionManager(app=server, stateless=not options.sessions, json_response=False)
        self.http: ASGIApp = self._handle
        self.sse = sse_app(server)
        self._schemas = ToolSchemas()
        if self.speaks_modern:
            seal_request_state(server, options.state_key)
            if server.get_tool_input_schema is None:
                server.get_tool_input_schema = self._schemas.lookup

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._manager.handle_request(scope, receive, send)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        async with shared_lifespan(self._server), self._manager.run():
            yield

    def learn_tools(self, tools: Sequence[Mapping[str, Any]]) -> None:
        self._schemas.learn(tools)
