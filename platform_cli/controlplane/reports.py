"""Reports the results of commits to GitHub; unreported ones are in the store, so that none is lost."""

from __future__ import annotations

import asyncio
import contextlib
import time

from ..pushes.reporter import Reporter, Untold
from .sqlite_deployments import SQLiteDeployments

# The seconds after which a failed report is sent again.
RETRY_S = 30.0


class Reports:
    """Sends one report at a time per repository; a rate limit of one delays no other."""

    def __init__(self, deployments: SQLiteDeployments, reporter: Reporter) -> None:
        self._deployments = deployments
        self._reporter = reporter
        self._changed = asyncio.Event()
        self._not_before: dict[int, float] = {}
        self._running: dict[int, asyncio.Task[None]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._work())
        self._changed.set()

    async def changed(self, _project: str) -> None:
        self._changed.set()

    async def close(self) -> None:
        tasks = [*self._running.values(), *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self) -> None:
        running = self._running
        while True:
            # wait_for is not used, since before Python 3.12 it loses a cancellation that comes with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RETRY_S):
                    await self._changed.wait()
            self._changed.clear()
            for repository, untold in self._reporter.untold(self._deployments.all_unreported()).items():
                is_free = repository not in running or running[repository].done()
                if is_free and time.monotonic() >= self._not_before.get(repository, 0):
                    running[repository] = asyncio.create_task(self._report(repository, untold))

    async def _report(self, repository: int, untold: list[Untold]) -> None:
        seconds = await self._reporter.tell_all(untold)
        if seconds is None:
            # There may be new reports.
            self._changed.set()
        else:
            self._not_before[repository] = time.monotonic() + seconds
