"""Deploys the commits of linked repositories: those of one project in order, each from exactly what was pushed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..api.build_event import Progress
from ..config.issuers import check_issuer_decides
from ..config.load import load_project
from ..config.project import Project
from ..contract import compare
from ..errors import BuildError, HomeportError, NotFoundError, RateLimitError, RevokedTokenError
from ..github.client import GitHubClient, current_name
from ..github.commits import Commit, MovedError, Source
from ..origin import Origin
from .deployer import Deployer
from .deployments import Deployment, DeploymentRequest, Deployments
from .links import Link, Links

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Checked:
    """Holds what a build found in the commit, None before it did."""

    commit: Commit | None = None
    project: Project | None = None


class PushDeploys:
    """Deploys what is in the queue, and calls `changed` whenever there may be something to report to GitHub."""

    def __init__(
        self,
        links: Links,
        deployments: Deployments,
        deployer: Deployer,
        source: Source,
        changed: Callable[[str], Awaitable[None]],
    ) -> None:
        self._links = links
        self._deployments = deployments
        self._deployer = deployer
        self._source = source
        self._changed = changed

    async def work(self, project: str) -> None:
        """Deploys until nothing waits any more, without an await between the last check and the return.

        Raises RateLimitError if GitHub wants to be asked later; the deployment that was running waits again.
        """
        while deployment := self._deployments.begin(project):
            await self._changed(project)
            await self._carry_out(deployment)
            await self._changed(project)

    async def _carry_out(self, deployment: Deployment) -> None:
        try:
            if deployment.sha is None:
                await self._end_preview(deployment)
            elif not await self._replace_outdated(link := self._links.get(deployment.link), deployment):
                await self._deploy(link, deployment, deployment.sha)
        except RateLimitError:
            self._deployments.update(deployment, state="waiting")
            raise
        except HomeportError as error:
            if isinstance(error, RevokedTokenError) and (known := self._links.find(deployment.link)):
                self._links.set_error(known.repository, error)
            self._fail(deployment, error)
        except OSError as error:
            self._fail(deployment, BuildError(f"the platform cannot build: {error}"))
        except Exception:
            logger.exception("a deployment failed")
            self._fail(deployment, BuildError("the platform cannot build: see its log"))

    def _fail(self, deployment: Deployment, error: HomeportError) -> None:
        lines = [f"error: {error.message}"] + ([f"  try: {error.hint}"] if error.hint else [])
        self._deployments.append_log(deployment, "\n".join(lines))
        self._deployments.end(deployment, "failed", error=error.message)

    async def _end_preview(self, deployment: Deployment) -> None:
        with contextlib.suppress(NotFoundError):
            await self._deployer.destroy(deployment.project)
        self._deployments.end(deployment, "gone")

    async def _replace_outdated(self, link: Link, deployment: Deployment) -> bool:
        """Ends a deployment whose branch has another head by now, and returns whether it did.

        Deliveries come in any order, and some not at all, so the branch's present head is put into the queue unless it
        serves.
        """
        deployments = self._deployments
        ref = f"refs/pull/{deployment.pull}/head" if deployment.pull else f"refs/heads/{link.branch}"
        head = (await self.refs(link, ref)).get(ref)
        if head == deployment.sha:
            return False
        deployments.end(deployment, "overtaken")
        live = deployments.live(deployment.project)
        if head is not None and not (live and live.sha == head):
            deployments.add(DeploymentRequest(deployment.project, deployment.link, head, deployment.pull))
        return True

    async def refs(self, link: Link, *patterns: str) -> dict[str, str]:
        """Returns the commits of the repository's refs, also if it has been renamed.

        Raises GitHubError if it cannot be reached or read.
        """
        repository, token = link.repository.on_github, self._links.token(link.repository)
        try:
            return await asyncio.to_thread(self._source.list_refs, repository, token, *patterns)
        except MovedError:
            name = await asyncio.to_thread(_current_name, link, token)
            if name == repository.name:
                raise
            self._links.rename(link.repository, name)
            moved = replace(repository, name=name)
            return await asyncio.to_thread(self._source.list_refs, moved, token, *patterns)

    async def _deploy(self, link: Link, deployment: Deployment, sha: str) -> None:
        deployments = self._deployments
        link = self._links.get(link.project)
        token = self._links.token(link.repository)
        checked = _Checked()

        def read(folder: Path) -> Project:
            repository = link.repository.on_github
            checked.commit, root = self._source.check_out(repository, token, sha, link.folder, folder)
            project = replace(load_project(root), name=deployment.project)
            check_issuer_decides(project)
            # A host name leads to one project, which is not its preview.
            checked.project = replace(project, domains=()) if deployment.pull else project
            return checked.project

        def emit(event: Progress) -> None:
            if line := _line(event):
                deployments.append_log(deployment, line)

        def origin() -> Origin:
            seconds = time.time() - (deployment.started_at or time.time())
            commit = checked.commit
            return Origin(commit.author if commit else None, sha, commit.message if commit else None, seconds)

        deployments.append_log(deployment, f"{link.source} at {sha}")
        if deployment.pull:
            self._deployer.share_secrets(link.project, deployment.project)
        try:
            deployed = await self._deployer.deploy(deployment.project, read, emit, link.source, origin)
        finally:
            if commit := checked.commit:
                deployments.update(deployment, author=commit.author, message=commit.message)
        difference = compare(self._deployer.contract(link.project), deployed.contract) if deployment.pull else None
        unchanged = "" if deployed.changed else ": no changes"
        deployments.append_log(deployment, f"v{deployed.release} is live{unchanged}")
        if deployed.note:
            deployments.append_log(deployment, deployed.note)
        wants_block = checked.project is not None and checked.project.block_breaking
        deployments.end(
            deployment,
            "live",
            release=deployed.release,
            difference=asdict(difference) if difference else None,
            blocked=bool(wants_block and difference and difference.is_breaking),
        )


def _current_name(link: Link, token: str) -> str:
    with GitHubClient(link.repository.on_github.github, token) as client:
        return current_name(client, link.repository.on_github)[1]


def _line(event: Progress) -> str | None:
    match event["event"]:
        case "end":
            return f"{event['name']:<8} {event['seconds']:6.2f} s{'  cached' if event['cached'] else ''}"
        case "note":
            return str(event["text"])
    return None
