"""Wraps the SDK's session manager for a low-level server, whose class and arguments are the same in mcp 1.x and 2.x."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ..asgi import Receive, Scope, Send


class SessionManager:
    """Serves streamable HTTP for `lowlevel`; several users may enter `run`, which runs it once."""

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
