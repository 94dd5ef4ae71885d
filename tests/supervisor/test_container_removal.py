"""Tests that no container stays because its engine was busy with it."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from platform_cli.errors import ReleaseError
from platform_cli.supervisor import container_removal
from platform_cli.supervisor.container_removal import WAITS_S, Removal
from platform_cli.supervisor.engine import Engine


class BusyEngine:
    """Refuses to remove a container for so many times."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.removed: list[str] = []

    def remove(self, container: str) -> None:
        if self.refusals:
            self.refusals -= 1
            raise ReleaseError(f"{container} cannot be removed: the engine is cleaning up")
        self.removed.append(container)


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_removal, "WAITS_S", [0.0 for _ in WAITS_S])


def test_a_removal_that_is_refused_is_tried_again() -> None:
    engine = BusyEngine(refusals=2)
    asyncio.run(Removal(cast("Engine", engine)).remove("one"))
    assert engine.removed == ["one"]


def test_what_is_refused_for_long_is_removed_with_the_next_start() -> None:
    async def run() -> list[str]:
        engine = BusyEngine(refusals=len(WAITS_S) + 1)
        removal = Removal(cast("Engine", engine))
        await removal.remove("one")
        assert engine.removed == []
        await removal.remove_left()
        await removal.remove_left()
        return engine.removed

    assert asyncio.run(run()) == ["one"]
