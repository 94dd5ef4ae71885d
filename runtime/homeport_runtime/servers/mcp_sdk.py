"""Serves the high-level servers of the mcp package: `FastMCP` of 1.x and `MCPServer` of 2.x."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ..asgi import ASGIApp
from ..libraries.mcp import (
    change_settings,
    forget_app,
    has_auth,
    lowlevel_of,
    seal_request_state,
    settle_version,
    shared_lifespan,
)
from .base import ServeOptions, class_names
from .exits import contain_exits
from .failures import watch_failures
from .session_manager import SessionManager
from .tool_errors import log_tool_errors


class FastMCP1Server:
    """Serves `FastMCP` of mcp 1.x, whose options are settings that are read when the app is made."""

    kind = "mcp1-fastmcp"

    @classmethod
    def infer(cls, candidate: object) -> bool:
        return "mcp.server.fastmcp.server.FastMCP" in class_names(candidate)

    def __init__(self, server: Any, options: ServeOptions) -> None:
        change_settings(
            server.settings,
            stateless_http=not options.sessions,
            mount_path="/",
            sse_path="/sse",
            message_path="/messages/",
            # The guard checks Host and Origin against the deployment's names; the SDK knows only localhost and answers
            # 421.
            transport_security=None,
        )
        if options.given.json_response is not None:
            change_settings(server.settings, json_response=options.given.json_response)
        # The server's own module may have made one with the old settings.
        forget_app(server)
        self._lowlevel = lowlevel_of(server)
        contain_exits(self._lowlevel)
        watch_failures(server, self._lowlevel)
        log_tool_errors(self._lowlevel)
        settle_version(self._lowlevel)
        self._server = server
        self.http: ASGIApp = server.streamable_http_app()
        self._stateless = SessionManager(self._lowlevel, sessions=False)
        self.stateless: ASGIApp | None = self._stateless.handle if options.sessions else self.http
        if options.sessions and has_auth(server):
            # The app checks tokens, and a session manager beside it would not, so this server only speaks its own era.
            self.stateless = None
        self.sse: ASGIApp | None = server.sse_app()

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        manager = self._server.session_manager
        async with shared_lifespan(self._lowlevel), manager.run(), self._stateless.run():
            yield

    def learn_tools(self, tools: Sequence[Mapping[str, Any]]) -> None:
        """Does nothing, since this protocol era needs no schemas before a call."""


class MCPServer2:
    """Serves `MCPServer` of mcp 2.x."""

    kind = "mcp2-mcpserver"
    stateless = None

    @classmethod
    def infer(cls, candidate: object) -> bool:
        return "mcp.server.mcpserver.server.MCPServer" in class_names(candidate)

    def __init__(self, server: Any, options: ServeOptions) -> None:
        from mcp.server.transport_security import TransportSecuritySettings

        # The guard checks Host and Origin; the SDK's default allows only localhost and answers 421.
        security = TransportSecuritySettings(enable_dns_rebinding_protection=False)
        self._lowlevel = lowlevel_of(server)
        contain_exits(self._lowlevel)
        watch_failures(server, self._lowlevel)
        seal_request_state(self._lowlevel, options.state_key, server.name)
        settle_version(self._lowlevel)
        given = options.given
        self.http: ASGIApp = server.streamable_http_app(
            streamable_http_path=(given.path if given.transport == "http" else None) or "/mcp",
            stateless_http=not options.sessions,
            json_response=bool(given.json_response),
            transport_security=security,
        )
        self.sse: ASGIApp | None = server.sse_app(transport_security=security)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        async with shared_lifespan(self._lowlevel), self._lowlevel.session_manager.run():
            yield

    def learn_tools(self, tools: Sequence[Mapping[str, Any]]) -> None:
        """Does nothing, since the server knows the schemas of its tools."""
