"""Serves an ASGI app of the user's own (Starlette, FastAPI, or any callable) as it is."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ..asgi import ASGIApp, Message, Receive, Scope, Send
from ..errors import ServerError
from ..libraries import fastmcp, mcp
from .base import ServeOptions, class_names
from .failures import watch_all_failures


class ASGIAppServer:
    kind = "asgi"
    # Nothing is translated, since the app decides which protocol it speaks.
    stateless = None

    @classmethod
    def infer(cls, candidate: object) -> bool:
        if "starlette.applications.Starlette" in class_names(candidate):
            return True
        if inspect.isclass(candidate):
            return False
        # The class is asked, since proxy objects have every attribute, or raise an error.
        function = candidate if inspect.isroutine(candidate) else getattr(type(candidate), "__call__", None)  # noqa: B004
        if not inspect.iscoroutinefunction(function):
            return False
        return [name for name in inspect.signature(function).parameters if name != "self"] == [
            "scope",
            "receive",
            "send",
        ]

    def __init__(self, server: ASGIApp, _options: ServeOptions) -> None:
        self.app = server
        # The state that the app's lifespan shares with its requests (ASGI, lifespan protocol, "Lifespan State").
        self._state: dict[str, Any] = {}
        self.http: ASGIApp = self._serve
        self.sse: ASGIApp | None = None
        for library in (mcp, fastmcp):
            library.leave_names_to_the_guard()
        watch_all_failures()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app({**scope, "state": {**scope.get("state", {}), **self._state}}, receive, send)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Runs the lifespan protocol of ASGI 3; an app that does not support it fails at once and is served without."""
        to_app: asyncio.Queue[Message] = asyncio.Queue()
        from_app: asyncio.Queue[Message] = asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}

        async def run() -> None:
            try:
                await self.app(scope, to_app.get, from_app.put)
                # An app that returns at once does not support the protocol.
                await from_app.put({"type": "lifespan.unsupported"})
            except Exception as error:
                await from_app.put({"type": "lifespan.unsupported", "error": error})

        task = asyncio.create_task(run())
        await to_app.put({"type": "lifespan.startup"})
        answer = await from_app.get()
        if answer["type"] == "lifespan.startup.failed":
            raise ServerError(f"the app's startup failed: {answer.get('message') or 'no reason given'}")
        try:
            yield
        finally:
            if answer["type"] == "lifespan.startup.complete":
                await to_app.put({"type": "lifespan.shutdown"})
            else:
                task.cancel()
            await asyncio.wait([task])

    def learn_tools(self, tools: Sequence[Mapping[str, Any]]) -> None:
        """Does nothing, since the app answers for its tools itself."""
