"""Relays messages between the workers of one machine: through the supervisor, to the worker that has the stream."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from .base import Deliver, Posted, posted_of, told

# The seconds in which another worker may take a message.
TAKE_S = 2.0
# The seconds until the answer must have come. After that nobody is asked again, since the message may have been taken.
ANSWER_S = 5.0
# The number of attempts, and the seconds between them: a session may be on its way from one worker to another.
TRIES = 3
BETWEEN_S = 0.1


class WorkerRelay:
    """Is the relay of a worker.

    `tell` sends a message to the supervisor, which passes it on to the project's other workers. `is_here` tells whether
    a session is open here, or about to be.
    """

    def __init__(self, tell: Callable[[dict[str, Any]], None], is_here: Callable[[str], bool]) -> None:
        self._tell = tell
        self._is_here = is_here
        self._numbers = itertools.count()
        self._asked: dict[int, asyncio.Future[bool]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def public_name(self, own: str) -> str:
        """Returns the name unchanged, since every worker is asked."""
        return own

    async def pass_on(self, session: str, posted: Posted) -> bool:
        for _ in range(TRIES):
            taken = await self._ask(posted)
            if taken is not False:
                return taken is True
            await asyncio.sleep(BETWEEN_S)
            if self._is_here(session):
                break
        return False

    async def _ask(self, posted: Posted) -> bool | None:
        """Returns whether a worker has taken the message; None if no answer came in time."""
        number = next(self._numbers)
        asked = self._asked[number] = asyncio.get_running_loop().create_future()
        self._tell({"event": "relay", "number": number, **told(posted)})
        try:
            with contextlib.suppress(asyncio.TimeoutError):
                return await asyncio.wait_for(asked, ANSWER_S)
            return None
        finally:
            del self._asked[number]

    def holding(self, session: str, end: Callable[[], Awaitable[None]]) -> AbstractAsyncContextManager[None]:
        """Does nothing, since every worker is asked."""
        return contextlib.nullcontext()

    @property
    def is_delivering(self) -> bool:
        """Tells whether a message taken for another worker has not reached its session yet."""
        return bool(self._tasks)

    def answered(self, order: dict[str, Any]) -> None:
        """Receives the supervisor's answer to a message of this worker."""
        asked = self._asked.get(order["number"])
        if asked is not None and not asked.done():
            asked.set_result(order["taken"])

    def take(self, order: dict[str, Any], deliver: Deliver) -> bool:
        """Takes another worker's message for a session that is open here, and returns False if it comes too late."""
        if time.monotonic() > order.get("until", math.inf):
            return False
        task = asyncio.ensure_future(deliver(posted_of(order)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True
