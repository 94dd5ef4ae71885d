"""Limits the event loop's work for a server, such as reading its output, to small pieces with pauses."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator

# The seconds of work in one piece, for which everybody else on the loop waits.
PIECE_S = 0.002


class Pace:
    """Lets other tasks have `others` times the time of the work: with 9 the work gets a tenth of the loop's time."""

    def __init__(self, others: float) -> None:
        self._others = others
        self._worked = 0.0

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self._worked += time.perf_counter() - started

    async def rest(self) -> None:
        """Pauses if a piece of work is done, else returns at once."""
        if self._worked >= PIECE_S:
            worked, self._worked = self._worked, 0.0
            await asyncio.sleep(worked * self._others)
