"""Watches the branches of repositories that have no webhook, with `git ls-remote`: no public address is needed."""

from __future__ import annotations

import asyncio
import logging
import os

from ..errors import HomeportError
from .deployments import Wanted
from .links import LinkedRepository
from .platform import Platform
from .push_deploys import PushDeploys

# Seconds between two looks.
VARIABLE = "HOMEPORT_GITHUB_POLL_S"
INTERVAL_S = 30.0

logger = logging.getLogger(__name__)


class Poller:
    def __init__(self, platform: Platform, deploys: PushDeploys) -> None:
        self._platform = platform
        self._deploys = deploys
        self._interval_s = float(os.environ.get(VARIABLE) or INTERVAL_S)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            polled = [known for known in self._platform.links.repositories() if known.hook_id is None]
            try:
                await asyncio.gather(*map(self._look, polled))
            except Exception:
                logger.exception("polling failed")

    async def _look(self, repository: LinkedRepository) -> None:
        links = self._platform.links.of(repository)
        if not links:
            return
        try:
            refs = await self._deploys.refs(links[0], *(f"refs/heads/{link.branch}" for link in links))
        except HomeportError as error:
            self._platform.links.set_error(repository, error.message)
            return
        if repository.error is not None:
            self._platform.links.set_error(repository, None)
        for link in links:
            sha = refs.get(f"refs/heads/{link.branch}")
            if sha and not self._was_tried(link.project, sha):
                self._platform.deployments.add(Wanted(link.project, link.project, sha))
                self._deploys.wake(link.project)

    def _was_tried(self, project: str, sha: str) -> bool:
        """A commit that failed is not tried at every look."""
        newest = next((known for known in self._platform.deployments.of(project) if known.state != "overtaken"), None)
        return newest is not None and newest.sha == sha
