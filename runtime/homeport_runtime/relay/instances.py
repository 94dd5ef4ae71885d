"""Relays messages between a function's instances, which cannot reach each other, through a table (mailbox.py)."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from ..aws.errors import NOT_REACHABLE, AWSError
from ..telemetry import emit
from .base import MAX_NAME, Deliver, NotHandedOver, Posted
from .mailbox import Mailbox, MessageLost, Taken

# The interval, in seconds, in which the mailbox is polled: a tenth of the time since the last message, within these
# limits.
SOONEST_S = 0.025
LATEST_S = 0.5
# The seconds between two renewals of a session's lease.
RENEW_S = 2.0
# The seconds for which a missing message holds back those with higher numbers.
MISSING_S = 5.0
# The seconds for which the app may work on a message before it gets the next one, too.
PATIENCE_S = 1.0
THREADS = 4

_R = TypeVar("_R")


class InstanceRelay:
    """Is the relay of an instance; `deliver` takes a message whose session's stream is open here.

    While no stream is open here, it does not use the table.
    """

    def __init__(self, mailbox: Mailbox, deliver: Deliver) -> None:
        self._mailbox = mailbox
        self._deliver = deliver
        self._threads = ThreadPoolExecutor(THREADS, "mailbox")
        self._delivering: set[asyncio.Future[None]] = set()

    def public_name(self, own: str) -> str:
        """Returns the name unchanged, since the table knows it by that."""
        return own

    async def pass_on(self, session: str, posted: Posted) -> bool:
        if not 0 < len(session) <= MAX_NAME:
            return False
        try:
            return await self._do(self._mailbox.post, session, posted)
        except (AWSError, MessageLost) as problem:
            emit("error", f"a message could not be handed over to its session: {problem!r}")
            raise NotHandedOver(answered=getattr(problem, "code", "") != NOT_REACHABLE) from None

    @asynccontextmanager
    async def holding(self, session: str, end: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        try:
            await self._do(self._mailbox.open, session)
        except AWSError as problem:
            emit("error", f"no session over /sse can be opened: {problem!r}")
            raise
        over = threading.Event()
        # At once, since the event loop may be held up from here on.
        kept = asyncio.get_running_loop().run_in_executor(self._threads, self._keep, session, over)
        held = asyncio.ensure_future(self._hold(session, kept, end))
        try:
            yield
        finally:
            over.set()
            held.cancel()
            # Whoever posts from now on gets the answer that there is no such session, at the latest when its lease
            # expires.
            with suppress(AWSError):
                await self._do(self._mailbox.close, session)

    async def _hold(self, session: str, kept: Awaitable[None], end: Callable[[], Awaitable[None]]) -> None:
        try:
            await asyncio.gather(self._collect(session), kept)
        except Exception as problem:
            emit("error", f"a session over /sse ends, since nothing can be handed over to it: {problem!r}")
            await end()

    def _keep(self, session: str, over: threading.Event) -> None:
        """Renews the lease until the session is over, in a thread, since a tool may hold up the event loop for longer
        than a lease.
        """
        while not over.wait(RENEW_S):
            self._mailbox.renew(session)

    async def _collect(self, session: str) -> None:
        """Takes one message after the other, until the session ends."""
        next_number = 1
        heard, missed = time.monotonic(), 0.0
        while True:
            taken, missing = await self._do(self._mailbox.read, session, next_number)
            for one in taken:
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
            await asyncio.sleep(min(max((time.monotonic() - heard) / 10, SOONEST_S), LATEST_S))

    async def _take_in(self, taken: Taken) -> None:
        """Delivers messages in the order of their numbers, but does not wait longer than PATIENCE_S for any of them."""
        if taken.posted is None:
            return
        delivering = asyncio.ensure_future(self._deliver(taken.posted))
        self._delivering.add(delivering)
        delivering.add_done_callback(self._delivering.discard)
        await asyncio.wait((delivering,), timeout=PATIENCE_S)

    async def _do(self, work: Callable[..., _R], *arguments: object) -> _R:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
