"""Removes containers, those too whose engine does not answer when their time has come."""

from __future__ import annotations

import asyncio

from ..errors import HomeportError
from .engine import Engine

# The seconds after each of which a removal is tried again: an engine refuses it while it cleans up by itself after a
# container that has just ended, and the container stays.
WAITS_S = (0.25, 0.5, 1.0, 2.0)


class Removal:
    """Removes containers of `engine`, and remembers those that it could not remove."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._left: set[str] = set()

    async def remove(self, container: str) -> None:
        """Ends and removes a container; if the engine does not do that soon, `remove_left` tries it again."""
        for wait_s in WAITS_S:
            if await self._is_removed(container):
                return
            await asyncio.sleep(wait_s)
        await self._remove_or_leave(container)

    async def remove_left(self) -> None:
        left, self._left = self._left, set()
        for container in left:
            await self._remove_or_leave(container)

    async def _remove_or_leave(self, container: str) -> None:
        if not await self._is_removed(container):
            self._left.add(container)

    async def _is_removed(self, container: str) -> bool:
        try:
            await asyncio.to_thread(self._engine.remove, container)
        except HomeportError:
            return False
        return True
