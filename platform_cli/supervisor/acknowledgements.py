"""Waits until a worker has acknowledged all that it was told."""

from __future__ import annotations

import asyncio


class Acknowledgements:
    def __init__(self) -> None:
        self._missing = 0
        self._complete = asyncio.Event()
        self._complete.set()

    def expect(self) -> None:
        """Notes that the worker was told something."""
        self._missing += 1
        self._complete.clear()

    def note(self) -> None:
        """Notes that the worker has acknowledged what it was told first of what was missing."""
        self._missing = max(self._missing - 1, 0)
        if not self._missing:
            self._complete.set()

    def give_up(self) -> None:
        """Lets everybody continue, since the worker has ended."""
        self._complete.set()

    async def wait(self) -> None:
        await self._complete.wait()
