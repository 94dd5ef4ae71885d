"""Push to deploy, put together: what a delivery sets off, and the tasks that carry it out."""

from __future__ import annotations

import asyncio
import contextlib

from ..github.webhook import PullRequest, Push, is_signed, read_event
from .builds import Builds
from .deployments import Wanted
from .linking import Linking
from .links import Link, LinkedRepository
from .platform import Platform
from .poller import Poller
from .push_deploys import PushDeploys
from .reports import Reports

# A DNS label's length.
MAX_NAME = 63


class Pushes:
    def __init__(self, platform: Platform, builds: Builds) -> None:
        self._platform = platform
        self.linking = Linking(platform)
        self._reports = Reports(platform)
        self.deploys = PushDeploys(platform, builds, self._reports.changed)
        self._poller = Poller(platform, self.deploys)
        self._polling: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._reports.start()
        self.deploys.start()
        self._polling = asyncio.create_task(self._poller.run())

    async def close(self) -> None:
        if self._polling:
            self._polling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._polling
        await self.deploys.close()
        await self._reports.close()

    def knows(self, hook_id: int) -> bool:
        return bool(self._platform.links.with_hook(hook_id))

    def sender(self, hook_id: int, body: bytes, signature: str | None) -> LinkedRepository | None:
        """The repository that signed `body`; None when none of ours did."""
        links = self._platform.links
        for repository in links.with_hook(hook_id):
            if is_signed(links.webhook_secret(repository), body, signature):
                return repository
        return None

    def receive(self, repository: LinkedRepository, delivery: str, event: str, body: bytes) -> list[str]:
        """The projects that are deployed because of it. What has to be done is on disk before this returns.

        Raises ValueError for a body that is not what GitHub sends.
        """
        if event == "ping" and repository.hook_id is not None:
            self.linking.pinged(repository.hook_id)
        found = read_event(event, body)
        if found is None or found.repository_id != repository.github_id:
            return []
        if found.repository != repository.repository.name:
            self._platform.links.rename(repository, found.repository)
        wanted = [one for link in self._platform.links.of(repository) if (one := _wanted(link, found))]
        projects = self._platform.deployments.receive(delivery, wanted)
        for project in projects:
            self.deploys.wake(project)
        return projects


def _wanted(link: Link, event: Push | PullRequest) -> Wanted | None:
    if isinstance(event, Push):
        wants = event.branch == link.branch and event.touches(link.folder)
        return Wanted(link.project, link.project, event.sha) if wants else None
    # A fork's code is anybody's: it gets no preview, which would run here with the project's secrets.
    if not link.previews or event.base != link.branch or event.from_fork:
        return None
    return Wanted(
        preview_name(link.project, event.number), link.project, event.sha if event.is_open else None, event.number
    )


def preview_name(project: str, number: int) -> str:
    suffix = f"-pr-{number}"
    return project[: MAX_NAME - len(suffix)].rstrip("-") + suffix
