"""Tests that a message of HTTP+SSE is taken by another worker once, however late it comes."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from homeport_runtime.relay.base import Posted
from homeport_runtime.relay.workers import WorkerRelay


def test_what_comes_too_late_is_not_taken_since_it_is_asked_again() -> None:
    taken: list[Posted] = []

    async def deliver(posted: Posted) -> None:
        taken.append(posted)

    async def run() -> None:
        relay = WorkerRelay(lambda _: None, lambda _: True)
        order: dict[str, Any] = {"query": "session_id=a", "headers": [], "body": ""}
        assert not relay.take({**order, "until": time.monotonic() - 0.001}, deliver)
        assert relay.take({**order, "until": time.monotonic() + 60}, deliver)
        # Supervisors of earlier versions say nothing of it.
        assert relay.take(order, deliver)
        while relay.is_delivering:
            await asyncio.sleep(0)

    asyncio.run(run())
    assert len(taken) == 2
