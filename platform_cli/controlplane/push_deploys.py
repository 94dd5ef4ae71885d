"""Deploys the commits of linked repositories: those of one project in order, each from exactly what was pushed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ..config.load import load_project
from ..config.project import Project
from ..contract import compare
from ..errors import BuildError, HomeportError, NotFoundError, RevokedTokenError
from ..github.checkout import Commit, MovedError, check_out, list_refs
from ..github.client import GitHubClient, current_name
from .builds import Builds, Event
from .deployments import Deployment, Wanted
from .links import Link
from .platform import Platform
from .store import Origin

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Checked:
    """What a build found in the commit."""

    commit: Commit | None = None
    project: Project | None = None


class PushDeploys:
    """`changed` is called whenever there may be something to tell GitHub."""

    def __init__(self, platform: Platform, builds: Builds, changed: Callable[[], None]) -> None:
        self._platform = platform
        self._builds = builds
        self._changed = changed
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        for project in self._platform.deployments.resume():
            self.wake(project)

    def wake(self, project: str) -> None:
        if project not in self._tasks:
            self._tasks[project] = asyncio.create_task(self._work(project))

    async def close(self) -> None:
        """What is under way stays in the queue."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, project: str) -> None:
        try:
            while deployment := self._platform.deployments.begin(project):
                self._changed()
                await self._carry_out(deployment)
                self._changed()
        finally:
            # Without an await since nothing waited any more: what comes from now on finds no task, and starts one.
            del self._tasks[project]

    async def _carry_out(self, deployment: Deployment) -> None:
        try:
            link = self._platform.links.get(deployment.link)
            if deployment.sha is None:
                await self._end_preview(deployment)
            elif await self._is_newest(link, deployment):
                await self._deploy(link, deployment, deployment.sha)
        except HomeportError as error:
            if isinstance(error, RevokedTokenError) and (known := self._platform.links.find(deployment.link)):
                self._platform.links.set_error(known.repository, error.message)
            self._fail(deployment, error)
        except OSError as error:
            self._fail(deployment, BuildError(f"the platform cannot build: {error}"))
        except Exception:
            logger.exception("a deployment failed")
            self._fail(deployment, BuildError("the platform cannot build: see its platform.log"))

    def _fail(self, deployment: Deployment, error: HomeportError) -> None:
        lines = [f"error: {error.message}"] + ([f"  try: {error.hint}"] if error.hint else [])
        self._platform.deployments.append_log(deployment, "\n".join(lines))
        self._platform.deployments.end(deployment, "failed", error=error.message)

    async def _end_preview(self, deployment: Deployment) -> None:
        with contextlib.suppress(NotFoundError):
            await self._platform.destroy(deployment.project)
        self._platform.deployments.end(deployment, "gone")

    async def _is_newest(self, link: Link, deployment: Deployment) -> bool:
        """False where the branch has gone on, or away. Deliveries come in any order, and some not at all: what the
        branch has now is put into the queue, unless it serves already.
        """
        deployments = self._platform.deployments
        ref = f"refs/pull/{deployment.pull}/head" if deployment.pull else f"refs/heads/{link.branch}"
        head = (await self.refs(link, ref)).get(ref)
        if head == deployment.sha:
            return True
        deployments.end(deployment, "overtaken")
        live = deployments.live(deployment.project)
        if head is not None and not (live and live.sha == head):
            deployments.add(Wanted(deployment.project, deployment.link, head, deployment.pull))
        return False

    async def refs(self, link: Link, *patterns: str) -> dict[str, str]:
        """The commits of the repository's refs, also when it has been renamed since. Raises GitHubError."""
        repository, token = link.repository.repository, self._platform.links.token(link.repository)
        try:
            return await asyncio.to_thread(list_refs, repository.clone_url, token, *patterns)
        except MovedError:
            name = await asyncio.to_thread(_current_name, link, token)
            if name == repository.name:
                raise
            self._platform.links.rename(link.repository, name)
            moved = replace(repository, name=name)
            return await asyncio.to_thread(list_refs, moved.clone_url, token, *patterns)

    async def _deploy(self, link: Link, deployment: Deployment, sha: str) -> None:
        platform, deployments = self._platform, self._platform.deployments
        link = platform.links.get(link.project)
        token = platform.links.token(link.repository)
        checked = _Checked()

        def read(folder: Path) -> Project:
            url = link.repository.repository.clone_url
            checked.commit, root = check_out(url, token, sha, link.folder, folder)
            checked.project = replace(load_project(root), name=deployment.project)
            return checked.project

        def emit(event: Event) -> None:
            if line := _line(event):
                deployments.append_log(deployment, line)

        deployments.append_log(deployment, f"{link.source} at {sha}")
        if deployment.pull:
            platform.share_secrets(link.project, deployment.project)
        try:
            bundle = await self._builds.build(read, emit)
        finally:
            if commit := checked.commit:
                deployments.update(deployment.id, author=commit.author, message=commit.message)
        project = checked.project
        difference = compare(platform.contract(link.project), bundle.manifest["contract"]) if deployment.pull else None
        seconds = time.time() - (deployment.started_at or time.time())
        origin = Origin(commit.author if commit else None, sha, commit.message if commit else None, seconds)
        status = await platform.deploy(deployment.project, bundle.hash, link.source, origin)
        deployments.append_log(
            deployment, f"{status['release']} is live" + ("" if status["changed"] else ": no changes")
        )
        if "token" in status:
            # Nobody is there to be shown the one that was made.
            text = f"callers need a token now: `homeport new-token {deployment.project}` prints one"
            deployments.append_log(deployment, text)
        blocked = bool(project and project.block_breaking and difference and difference.is_breaking)
        deployments.end(
            deployment,
            "live",
            release=int(status["release"].removeprefix("v")),
            difference=json.dumps(asdict(difference)) if difference else None,
            blocked=blocked,
        )


def _current_name(link: Link, token: str) -> str:
    with GitHubClient(link.repository.repository.github, token) as client:
        return current_name(client, link.repository.repository)[1]


def _line(event: Event) -> str | None:
    match event["event"]:
        case "end":
            return f"{event['name']:<8} {event['seconds']:6.2f} s{'  cached' if event['cached'] else ''}"
        case "note":
            return str(event["text"])
    return None
