"""fastmcp 2, 3 and 4: one class name, one way to make an app, small differences in what it takes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from .base import ServeOptions, class_names
from .request_state import seal_request_state
from .tool_schemas import ToolSchemas


class FastMCPServer:
    kind = "fastmcp"

    @classmethod
    def infer(cls, candidate: object) -> bool:
        return "fastmcp.server.server.FastMCP" in class_names(candidate)

    def __init__(self, server: Any, options: ServeOptions) -> None:
        lowlevel = server._mcp_server
        self.speaks_modern = hasattr(lowlevel, "streamable_http_app")
        self.http = server.http_app(path="/mcp", stateless_http=not options.sessions, json_response=False)
        self.sse = server.http_app(path="/sse", transport="sse")
        self._schemas = ToolSchemas()
        if self.speaks_modern:
            seal_request_state(lowlevel, options.state_key, server.name)
            if lowlevel.get_tool_input_schema is None:
                lowlevel.get_tool_input_schema = self._schemas.lookup

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        # The HTTP+SSE app's lifespan is the same server lifespan: entering one serves both.
        async with self.http.router.lifespan_context(self.http):
            yield

    def learn_tools(self, tools: Sequence[Mapping[str, Any]]) -> None:
        self._schemas.learn(tools)
