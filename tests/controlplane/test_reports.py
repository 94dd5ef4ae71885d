"""Tests that GitHub is told later when it wants that, and that other repositories do not wait for it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from platform_cli.controlplane.reports import Reports

DEADLINE_S = 30
LIMITED, OPEN = 1, 2


class Reporter:
    """Reports to two repositories, to which there is always something to tell; one of them has it wait for an hour."""

    def __init__(self) -> None:
        self.told: list[int] = []
        self.enough = asyncio.Event()

    def untold(self, _unreported: object) -> dict[int, list[int]]:
        return {LIMITED: [LIMITED], OPEN: [OPEN]}

    async def tell_all(self, untold: list[int]) -> float | None:
        self.told += untold
        if self.told.count(OPEN) == 5:
            self.enough.set()
        return 3600.0 if untold == [LIMITED] else None


def test_a_rate_limit_is_waited_for() -> None:
    async def run() -> list[int]:
        reporter = Reporter()
        deployments: Any = SimpleNamespace(all_unreported=list)
        reports = Reports(deployments, cast("Any", reporter))
        reports.start()
        async with asyncio.timeout(DEADLINE_S):
            await reporter.enough.wait()
        await reports.close()
        return reporter.told

    assert asyncio.run(run()).count(LIMITED) == 1
