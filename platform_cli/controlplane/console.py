"""Loads the console at its first request."""

from __future__ import annotations

import asyncio

from homeport_runtime.asgi import ASGIApp, Receive, Scope, Send

from .platform import Platform


class Console:
    """Is the console's app, whose modules take megabytes that a platform without it does not need."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            self._app = await asyncio.to_thread(self._load)
        await self._app(scope, receive, send)

    def _load(self) -> ASGIApp:
        from ..console.app import console_app
        from .console_source import ConsoleSource

        return console_app(ConsoleSource(self._platform), self._platform.stores.console_sessions)
