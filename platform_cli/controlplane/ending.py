"""Decides when the control plane's process ends, and whether another one follows it."""

from __future__ import annotations

import asyncio


class Ending:
    def __init__(self) -> None:
        self._decided = asyncio.Event()
        # Whether running workers are left to the next control plane.
        self.is_restart = False

    def stop(self) -> None:
        """Ends the platform."""
        self.is_restart = False
        self._decided.set()

    def restart(self) -> None:
        self.is_restart = not self._decided.is_set()
        self._decided.set()

    async def wait(self) -> None:
        await self._decided.wait()
