"""Tells GitHub what became of its commits. What it does not know yet is in the store, so that no result is lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from typing import Any, cast

from ..contract import Difference
from ..errors import GitHubError, HomeportError, NotFoundError, RateLimitError, RevokedTokenError
from ..github.client import GitHubClient
from ..github.feedback import Report, set_comment, set_deployment, set_status
from .deployments import Deployment
from .links import Link
from .platform import Platform

# Seconds after which GitHub is asked again when it could not be told.
RETRY_S = 30.0
# What a thread waits by itself when GitHub wants to be asked later; longer waits are for the next round.
PATIENCE_S = 5.0

logger = logging.getLogger(__name__)


class Reports:
    """One report at a time per repository; a rate limit of one keeps no other waiting."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._changed = asyncio.Event()
        self._not_before: dict[int, float] = {}
        self._running: dict[int, asyncio.Task[None]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._work())
        self._changed.set()

    def changed(self) -> None:
        self._changed.set()

    async def close(self) -> None:
        tasks = [*self._running.values(), *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self) -> None:
        running = self._running
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), RETRY_S)
            self._changed.clear()
            for repository, deployments in self._waiting().items():
                is_free = repository not in running or running[repository].done()
                if is_free and time.monotonic() >= self._not_before.get(repository, 0):
                    running[repository] = asyncio.create_task(self._report_all(deployments))

    def _waiting(self) -> dict[int, list[tuple[Link, Deployment]]]:
        found = defaultdict(list)
        links = {link.project: link for link in self._platform.links.all()}
        for deployment in self._platform.deployments.unreported():
            if (link := links.get(deployment.link)) and link.repository.error is None:
                found[link.repository.id].append((link, deployment))
        return found

    async def _report_all(self, waiting: list[tuple[Link, Deployment]]) -> None:
        for link, deployment in waiting:
            try:
                await self._report(link, deployment)
            except RevokedTokenError as error:
                self._platform.links.set_error(link.repository, error.message)
                return
            except NotFoundError:
                # The repository, the commit or the pull request is gone: there is nobody to tell.
                self._platform.deployments.update(deployment.id, reported=deployment.state)
            except RateLimitError as error:
                self._not_before[link.repository.id] = time.monotonic() + error.seconds
                return
            except GitHubError as error:
                logger.warning("%s: %s", link.repository.repository.name, error.message)
                return
            except Exception:
                logger.exception("a report failed")
                return
        # What came meanwhile.
        self._changed.set()

    async def _report(self, link: Link, deployment: Deployment) -> None:
        platform = self._platform
        report = self._describe(link, deployment)
        token = platform.links.token(link.repository)
        comment = platform.deployments.comment(deployment.project)

        known = deployment.github_id or (platform.deployments.github_id(deployment.project) if not report.sha else None)

        def tell() -> tuple[int | None, int | None]:
            number, written = known, comment
            with GitHubClient(link.repository.repository.github, token, patience_s=PATIENCE_S) as client:
                if report.sha:
                    set_status(client, report)
                if report.sha or known:
                    number = set_deployment(client, report, known)
                if report.pull and (report.sha or comment):
                    written = set_comment(client, report, comment)
            return number, written

        number, written = await asyncio.to_thread(tell)
        platform.deployments.update(deployment.id, reported=deployment.state, github_id=number)
        if written is not None:
            platform.deployments.set_comment(deployment.project, written)

    def _describe(self, link: Link, deployment: Deployment) -> Report:
        url = None
        with contextlib.suppress(HomeportError, KeyError):
            url = self._platform.status(deployment.project)["mcp_url"]
        difference = deployment.difference
        return Report(
            repository=link.repository.repository.name,
            project=deployment.project,
            sha=deployment.sha or "",
            state=cast("Any", deployment.state),
            url=url,
            reason=deployment.error,
            release=f"v{deployment.release}" if deployment.release else None,
            pull=deployment.pull,
            base=link.project,
            difference=Difference(**{key: tuple(value) for key, value in difference.items()}) if difference else None,
            blocked=deployment.blocked,
        )
