"""Removes containers, those too whose engine does not answer when their time has come."""

from __future__ import annotations

import asyncio

from ..errors import HomeportError
from .engine import Engine


class Removal:
    """Removes containers of `engine`, and remembers those that it could not remove."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._left: set[str] = set()

    async def remove(self, container: str) -> None:
        """Ends and removes a container; if the engine does not do that now, `remove_left` tries it again."""
        try:
            await asyncio.to_thread(self._engine.remove, container)
        except HomeportError:
            self._left.add(container)

    async def remove_left(self) -> None:
        left, self._left = self._left, set()
        for container in left:
            await self.remove(container)
