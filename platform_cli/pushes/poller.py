"""Polls the branches of repositories without a webhook by `git ls-remote`, which needs no public address."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable

from ..errors import HomeportError
from .deployments import DeploymentRequest, Deployments
from .links import LinkedRepository, Links

# The seconds between two polls, and the variable that changes them.
VARIABLE = "HOMEPORT_GITHUB_POLL_S"
INTERVAL_S = 30.0

logger = logging.getLogger(__name__)


class Poller:
    """Polls repositories: `refs` returns the commits of a link's refs, `wake` is called for projects with a new one."""

    def __init__(
        self,
        links: Links,
        deployments: Deployments,
        refs: Callable[..., Awaitable[dict[str, str]]],
        wake: Callable[[str], None],
    ) -> None:
        self._links = links
        self._deployments = deployments
        self._refs = refs
        self._wake = wake
        self._interval_s = float(os.environ.get(VARIABLE) or INTERVAL_S)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            polled = [known for known in self._links.repositories() if known.hook_id is None]
            try:
                await asyncio.gather(*map(self._look, polled))
            except Exception:
                logger.exception("polling failed")

    async def _look(self, repository: LinkedRepository) -> None:
        links = self._links.of(repository)
        if not links:
            return
        try:
            refs = await self._refs(links[0], *(f"refs/heads/{link.branch}" for link in links))
        except HomeportError as error:
            self._links.set_error(repository, error)
            return
        if repository.error is not None:
            self._links.set_error(repository, None)
        for link in links:
            sha = refs.get(f"refs/heads/{link.branch}")
            if sha and not self._was_tried(link.project, sha):
                self._deployments.add(DeploymentRequest(link.project, link.project, sha))
                self._wake(link.project)

    def _was_tried(self, project: str, sha: str) -> bool:
        """Tells whether the commit was tried already, so that one that failed is not tried at every poll."""
        newest = self._deployments.newest(project)
        return newest is not None and newest.sha == sha
