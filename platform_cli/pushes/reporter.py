"""Reports to GitHub the state of each commit, and decides what to do if GitHub does not accept it."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, cast

from ..contract import Difference
from ..errors import GitHubError, NotFoundError, RateLimitError, RevokedTokenError
from ..github.client import GitHubClient
from ..github.feedback import Report, set_comment, set_deployment, set_status
from .deployer import Deployer
from .deployments import Deployment, Deployments
from .links import Link, Links

# The seconds that a thread waits when GitHub wants to be asked later; longer waits are left to the caller.
PATIENCE_S = 5.0

logger = logging.getLogger(__name__)

Untold = tuple[Link, Deployment]


class Reporter:
    def __init__(self, links: Links, deployments: Deployments, deployer: Deployer) -> None:
        self._links = links
        self._deployments = deployments
        self._deployer = deployer

    def untold(self, unreported: Iterable[Deployment]) -> dict[int, list[Untold]]:
        """Returns the deployments that can be reported, by the id of their repository."""
        found = defaultdict(list)
        links = {link.project: link for link in self._links.all()}
        for deployment in unreported:
            if (link := links.get(deployment.link)) and link.repository.error is None:
                found[link.repository.id].append((link, deployment))
        return found

    async def tell_all(self, untold: Iterable[Untold]) -> float | None:
        """Reports them, and returns None when nothing is left, otherwise in how many seconds to try again."""
        for link, deployment in untold:
            try:
                await self._tell(link, deployment)
            except RevokedTokenError as error:
                self._links.set_error(link.repository, error)
                return None
            except NotFoundError:
                # The repository, the commit or the pull request does not exist any more, so there is nobody to tell.
                self._deployments.update(deployment, reported=deployment.state)
            except RateLimitError as error:
                return error.seconds
            except GitHubError as error:
                logger.warning("%s: %s", link.repository.on_github.name, error.message)
                return 0.0
            except Exception:
                logger.exception("a report failed")
                return 0.0
        return None

    async def _tell(self, link: Link, deployment: Deployment) -> None:
        deployments = self._deployments
        report = self._describe(link, deployment)
        token = self._links.token(link.repository)
        comment = deployments.comment(deployment.project)
        known = deployment.github_id or (deployments.github_id(deployment.project) if not report.sha else None)

        def tell() -> tuple[int | None, int | None]:
            number, written = known, comment
            with GitHubClient(link.repository.on_github.github, token, patience_s=PATIENCE_S) as client:
                if report.sha:
                    set_status(client, report)
                if report.sha or known:
                    number = set_deployment(client, report, known)
                if report.pull and (report.sha or comment):
                    written = set_comment(client, report, comment)
            return number, written

        number, written = await asyncio.to_thread(tell)
        deployments.update(deployment, reported=deployment.state, github_id=number)
        if written is not None:
            deployments.set_comment(deployment.project, written)

    def _describe(self, link: Link, deployment: Deployment) -> Report:
        difference = deployment.difference
        return Report(
            repository=link.repository.on_github.name,
            project=deployment.project,
            sha=deployment.sha or "",
            state=cast("Any", deployment.state),
            url=self._deployer.mcp_url(deployment.project),
            reason=deployment.error,
            release=f"v{deployment.release}" if deployment.release else None,
            pull=deployment.pull,
            base=link.project,
            difference=Difference(**{key: tuple(value) for key, value in difference.items()}) if difference else None,
            blocked=deployment.blocked,
        )
