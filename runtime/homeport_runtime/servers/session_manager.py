"""The SDK's session manager for a low-level server: the same class with the same arguments in mcp 1.x and 2.x."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ..asgi import Receive, Scope, Send


class SessionManager:
    """Streamable HTTP for `lowlevel`. `run` may be entered again by whoever shares it: it runs once."""

    def __init__(self, lowlevel: Any, *, sessions: bool) -> None:
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        self._manager = StreamableHTTPSessionManager(app=lowlevel, stateless=not sessions, json_response=False)
        self._running = False

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._manager.handle_request(scope, receive, send)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        if self._running:
            yield
            return
        self._running = True
        async with self._manager.run():
            yield
