"""Waits for the pings of webhooks that were just created, which show that GitHub can reach the platform."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Protocol


class Pings(Protocol):
    """Records the pings that have come from webhooks, with the right signature."""

    def arrived(self, hook_id: int) -> None: ...

    async def wait(self, hook_id: int) -> None:
        """Returns as soon as that webhook's ping has come."""


class LocalPings:
    """Records pings in the process that waits for them."""

    def __init__(self) -> None:
        self._events: defaultdict[int, asyncio.Event] = defaultdict(asyncio.Event)

    def arrived(self, hook_id: int) -> None:
        self._events[hook_id].set()

    async def wait(self, hook_id: int) -> None:
        await self._events[hook_id].wait()
