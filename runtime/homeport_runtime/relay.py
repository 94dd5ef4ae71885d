"""Messages of legacy HTTP+SSE that reach the wrong worker: POST /messages/ may land where GET /sse is not open.

A worker that does not know the session asks the others, through the supervisor; the one with the stream takes the
message in, and its answer goes onto that stream.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
from collections.abc import Callable
from typing import Any

from .asgi import ASGIApp, Headers, Scope
from .probe import call_app

# Seconds that the others have to say whose session it is.
ANSWER_S = 2.0


class Relay:
    """`tell` sends a message to the supervisor, which passes it on to the project's other workers."""

    def __init__(self, tell: Callable[[dict[str, Any]], None]) -> None:
        self._tell = tell
        self._numbers = itertools.count()
        self._asked: dict[int, asyncio.Future[bool]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    async def pass_on(self, scope: Scope, body: bytes) -> bool:
        """Whether another worker has taken the message."""
        number = next(self._numbers)
        asked = self._asked[number] = asyncio.get_running_loop().create_future()
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        query = scope["query_string"].decode("latin-1")
        encoded = base64.b64encode(body).decode()
        self._tell({"event": "relay", "number": number, "query": query, "headers": headers, "body": encoded})
        try:
            with contextlib.suppress(asyncio.TimeoutError):
                return await asyncio.wait_for(asked, ANSWER_S)
            return False
        finally:
            del self._asked[number]

    def answered(self, order: dict[str, Any]) -> None:
        """The supervisor says how it went."""
        asked = self._asked.get(order["number"])
        if asked is not None and not asked.done():
            asked.set_result(order["taken"])

    def take(self, order: dict[str, Any], app: ASGIApp) -> None:
        """Another worker's message for a session that is open here."""
        headers: Headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in order["headers"]]
        body = base64.b64decode(order["body"])
        task = asyncio.ensure_future(call_app(app, "POST", "/messages/", headers, body, order["query"].encode()))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
