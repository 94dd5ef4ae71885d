"""Between the workers of one machine: the supervisor asks the others, and the one with the stream takes the message in,
so that its answer goes onto that stream.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from .base import Deliver, Posted

# Seconds that the others have to say whose session it is.
ANSWER_S = 2.0


class WorkerRelay:
    """`tell` sends a message to the supervisor, which passes it on to the project's other workers."""

    def __init__(self, tell: Callable[[dict[str, Any]], None]) -> None:
        self._tell = tell
        self._numbers = itertools.count()
        self._asked: dict[int, asyncio.Future[bool]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def pass_on(self, session: str, posted: Posted) -> bool:
        number = next(self._numbers)
        asked = self._asked[number] = asyncio.get_running_loop().create_future()
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in posted.headers]
        query = posted.query.decode("latin-1")
        encoded = base64.b64encode(posted.body).decode()
        self._tell({"event": "relay", "number": number, "query": query, "headers": headers, "body": encoded})
        try:
            with contextlib.suppress(asyncio.TimeoutError):
                return await asyncio.wait_for(asked, ANSWER_S)
            return False
        finally:
            del self._asked[number]

    def holding(self, session: str, end: Callable[[], Awaitable[None]]) -> AbstractAsyncContextManager[None]:
        """Every worker is asked: there is nothing to make known."""
        return contextlib.nullcontext()

    def answered(self, order: dict[str, Any]) -> None:
        """The supervisor says how it went."""
        asked = self._asked.get(order["number"])
        if asked is not None and not asked.done():
            asked.set_result(order["taken"])

    def take(self, order: dict[str, Any], deliver: Deliver) -> None:
        """Another worker's message for a session that is open here."""
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in order["headers"]]
        posted = Posted(order["query"].encode("latin-1"), headers, base64.b64decode(order["body"]))
        task = asyncio.ensure_future(deliver(posted))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
