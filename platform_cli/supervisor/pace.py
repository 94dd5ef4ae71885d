"""Work on the event loop that a server causes, such as taking in what it prints: in small pieces, with pauses."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator

# Seconds of work in one piece: everybody else on the loop waits for so long.
PIECE_S = 0.002


class Pace:
    """Lets the others have `others` times what the work has taken: with 9 it gets a tenth of the loop's time."""

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
        """Returns at once until a piece is done."""
        if self._worked >= PIECE_S:
            worked, self._worked = self._worked, 0.0
            await asyncio.sleep(worked * self._others)
