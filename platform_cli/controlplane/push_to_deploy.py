"""Composes push to deploy on this machine: the tasks that carry out what deliveries start."""

from __future__ import annotations

import asyncio
import contextlib

from ..errors import RateLimitError
from ..github.checkout import Git
from ..pushes.deliveries import Deliveries
from ..pushes.linking import Linking
from ..pushes.pings import LocalPings
from ..pushes.poller import Poller
from ..pushes.push_deploys import PushDeploys
from ..pushes.reporter import Reporter
from .builds import Builds
from .local_deployer import LocalDeployer
from .platform import Platform
from .reports import Reports


class PushToDeploy:
    def __init__(self, platform: Platform, builds: Builds) -> None:
        links, deployments = platform.stores.links, platform.stores.deployments
        deployer, source, pings = LocalDeployer(platform, builds), Git(), LocalPings()
        self._deployments = deployments
        self._reports = Reports(deployments, Reporter(links, deployments, deployer))
        self._deploys = PushDeploys(links, deployments, deployer, source, self._reports.changed)
        self._poller = Poller(links, deployments, self._deploys.refs, self.wake)
        self._polling: asyncio.Task[None] | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.linking = Linking(links, deployments, source, pings, self.wake)
        self.deliveries = Deliveries(links, deployments, pings, self.wake)

    def start(self) -> None:
        self._reports.start()
        for project in self._deployments.resume():
            self.wake(project)
        self._polling = asyncio.create_task(self._poller.run())

    def wake(self, project: str) -> None:
        """Starts the work on `project`, for which something waits."""
        if project not in self._tasks:
            self._tasks[project] = asyncio.create_task(self._work(project))

    async def _work(self, project: str) -> None:
        try:
            while (seconds := await self._limited(project)) is not None:
                await asyncio.sleep(seconds)
        finally:
            # There is no await between the last check and this, so whatever comes later starts a new task.
            del self._tasks[project]

    async def _limited(self, project: str) -> float | None:
        """Works until nothing waits, and returns None, or the seconds after which GitHub may be asked again."""
        try:
            await self._deploys.work(project)
        except RateLimitError as error:
            return error.seconds
        return None

    async def close(self) -> None:
        """Stops all tasks; what is under way stays in the queue."""
        if self._polling:
            self._polling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._polling
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._reports.close()
