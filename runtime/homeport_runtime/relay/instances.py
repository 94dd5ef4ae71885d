"""Between the instances of a function, none of which can reach another: by way of a table (mailbox.py)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from ..aws.errors import AWSError
from ..telemetry import emit
from .base import Deliver, NotHandedOver, Posted
from .mailbox import Mailbox, MessageLost, Taken

# Seconds between two looks at the mailbox: a tenth of the time in which nothing came, within these.
SOONEST_S = 0.025
LATEST_S = 0.5
# Seconds between two renewals of a session.
RENEW_S = 10.0
# Seconds that a number may be without its message, before those behind it go on.
MISSING_S = 5.0
# Seconds that the app may work on one message before the next comes.
PATIENCE_S = 1.0
# A session's name is chosen by its server; what is longer comes from elsewhere.
MAX_NAME = 200
THREADS = 4

_R = TypeVar("_R")


class InstanceRelay:
    """`deliver` takes in a message whose session's stream is open here. While none is, the table is left alone."""

    def __init__(self, mailbox: Mailbox, deliver: Deliver) -> None:
        self._mailbox = mailbox
        self._deliver = deliver
        self._threads = ThreadPoolExecutor(THREADS, "mailbox")
        self._delivering: set[asyncio.Future[None]] = set()

    async def pass_on(self, session: str, posted: Posted) -> bool:
        if not 0 < len(session) <= MAX_NAME:
            return False
        try:
            return await self._do(self._mailbox.post, session, posted)
        except (AWSError, MessageLost) as problem:
            emit("error", f"a message could not be handed over to its session: {problem!r}")
            raise NotHandedOver("the message could not be handed over to its session") from None

    @asynccontextmanager
    async def holding(self, session: str, end: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        try:
            await self._do(self._mailbox.open, session)
        except AWSError as problem:
            emit("error", f"no session over /sse can be opened: {problem!r}")
            raise
        held = asyncio.ensure_future(self._hold(session, end))
        try:
            yield
        finally:
            held.cancel()
            # Who posts from here on is told that there is no such session; at the latest when it expires.
            with suppress(AWSError):
                await self._do(self._mailbox.close, session)

    async def _hold(self, session: str, end: Callable[[], Awaitable[None]]) -> None:
        try:
            await self._collect(session)
        except Exception as problem:
            emit("error", f"a session over /sse ends, since nothing can be handed over to it: {problem!r}")
            await end()

    async def _collect(self, session: str) -> None:
        """Takes in message after message."""
        next_number = 1
        renewed, heard, missed = time.time(), time.monotonic(), 0.0
        while True:
            taken, missing = await self._do(self._mailbox.read, session, next_number)
            for one in taken:
                renewed = await self._renew(session, renewed)
                await self._take_in(one)
            if taken:
                next_number = taken[-1].number + 1
                heard, missed = time.monotonic(), 0.0
                await self._do(self._mailbox.remove, session, taken)
            if missing:
                missed = missed or time.monotonic()
                if time.monotonic() - missed > MISSING_S:
                    await self._do(self._mailbox.give_up, session, next_number)
                    missed = 0.0
            renewed = await self._renew(session, renewed)
            await asyncio.sleep(min(max((time.monotonic() - heard) / 10, SOONEST_S), LATEST_S))

    async def _renew(self, session: str, renewed: float) -> float:
        """Unix times of the last renewal: a clock that stands still with the sandbox would not do."""
        if time.time() - renewed < RENEW_S:
            return renewed
        await self._do(self._mailbox.renew, session)
        return time.time()

    async def _take_in(self, taken: Taken) -> None:
        """In the order of their numbers; an app that works on one for longer does not hold the others back."""
        if taken.posted is None:
            return
        delivering = asyncio.ensure_future(self._deliver(taken.posted))
        self._delivering.add(delivering)
        delivering.add_done_callback(self._delivering.discard)
        await asyncio.wait((delivering,), timeout=PATIENCE_S)

    async def _do(self, work: Callable[..., _R], *arguments: object) -> _R:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
