"""The SDK's session manager for a low-level server: the same class with the same arguments in mcp 1.x and 2.x."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ..asgi import Receive, Scope, Send, send_error


class SessionManager:
    """Streamable HTTP for `lowlevel`. `run` may be entered again by whoever shares it: it runs once."""

    def __init__(self, lowlevel: Any, *, sessions: bool) -> None:
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        self._manager = StreamableHTTPSessionManager(app=lowlevel, stateless=not sessions, json_response=False)
        self._running = False

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The manager answers on every path that it is given.
        if scope["path"].rstrip("/") != "/mcp":
            await send_error(send, 404, -32600, "Not Found")
            return
        await self._manager.handle_request(scope, receive, send)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        if self._running:
            yield
            return
        self._running = True
        async with self._manager.run():
            yield
