"""Links a repository: reads it first, then creates the webhook and checks it with a ping, then stores the link."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from ..config.load import read_config
from ..config.names import slugify
from ..errors import GitHubError, HomeportError, InputError, NotFoundError
from ..github.client import GitHubClient
from ..github.commits import Source
from ..github.repository import Repository
from ..temporary import temporary_folder
from .deployments import DeploymentRequest, Deployments
from .links import Link, LinkedRepository, Links
from .pings import Pings

# The seconds within which GitHub's ping has to arrive.
PING_TIMEOUT_S = 20.0
EVENTS = ["push", "pull_request"]


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """Holds what the person asked for.

    `branch` is None for the repository's default, and `webhook_url` None for polling.
    """

    repository: Repository
    token: str = field(repr=False)
    branch: str | None
    folder: str
    previews: bool
    webhook_url: str | None


@dataclass(frozen=True, slots=True)
class _Found:
    repository: Repository
    github_id: int
    branch: str
    head: str
    project: str


class Linking:
    def __init__(
        self,
        links: Links,
        deployments: Deployments,
        source: Source,
        pings: Pings,
        wake: Callable[[str], None],
    ) -> None:
        self._links = links
        self._deployments = deployments
        self._source = source
        self._pings = pings
        self._wake = wake
        self._lock = asyncio.Lock()

    async def link(self, request: LinkRequest) -> Link:
        """Returns the new link, whose branch's head is in the queue.

        Raises GitHubError and InputError, with nothing changed.
        """
        async with self._lock:
            found = await asyncio.to_thread(_look, request, self._source)
            links = self._links
            known = links.repository(found.repository.github, found.github_id)
            if known is not None:
                links.check_free(found.project, known, found.branch, request.folder)
            elif links.find(found.project):
                raise InputError(f"another repository deploys {found.project}", hint="name it in its fastmcp.toml")
            repository = links.add_repository(found.repository, found.github_id, request.token)
            try:
                if request.webhook_url and repository.hook_id is None:
                    await self._create_hook(repository, request.token, request.webhook_url)
            except BaseException:
                if not links.of(repository):
                    links.remove_repository(repository)
                raise
            links.add(Link(found.project, repository, found.branch, request.folder, request.previews))
            self._deployments.add(DeploymentRequest(found.project, found.project, found.head), again=True)
            self._wake(found.project)
            return links.get(found.project)

    async def _create_hook(self, repository: LinkedRepository, token: str, url: str) -> None:
        links, path = self._links, f"/repos/{repository.on_github.name}/hooks"
        config = {
            "url": url,
            "content_type": "json",
            "secret": links.webhook_secret(repository),
            "insecure_ssl": "0",
        }
        with GitHubClient(repository.on_github.github, token) as client:
            body = {"name": "web", "active": True, "events": EVENTS, "config": config}
            hook_id = int((await asyncio.to_thread(client.post, path, body))["id"])
            links.set_hook(repository, hook_id)
            try:
                # GitHub's own ping came before the webhook's id was known.
                await asyncio.to_thread(client.post, f"{path}/{hook_id}/pings")
                await asyncio.wait_for(self._pings.wait(hook_id), PING_TIMEOUT_S)
            except BaseException as error:
                links.set_hook(repository, None)
                with contextlib.suppress(HomeportError):
                    await asyncio.to_thread(client.delete, f"{path}/{hook_id}")
                if isinstance(error, TimeoutError):
                    raise GitHubError(
                        f"GitHub's ping did not come to {url} within {PING_TIMEOUT_S:g} s",
                        hint="make that address reachable from outside, or link with --poll",
                    ) from None
                raise

    async def unlink(self, project: str) -> str | None:
        """Removes a link, and ends its previews; the release that serves stays.

        With a repository's last link its webhook is removed, too: returns why it could not be, None if it was or others
        are left. Raises NotFoundError if the project is not linked.
        """
        async with self._lock:
            links = self._links
            link = links.get(project)
            links.remove(project)
            for preview in self._deployments.previews(project):
                if newest := self._deployments.newest(preview):
                    self._deployments.add(DeploymentRequest(preview, project, None, newest.pull))
                    self._wake(preview)
            if links.of(link.repository):
                return None
            return await forget_repository(links, link.repository)


async def forget_repository(links: Links, repository: LinkedRepository) -> str | None:
    """Removes the repository and its webhook, and returns why the webhook could not be removed, None if it was."""
    reason = None
    try:
        if repository.hook_id is not None:
            with GitHubClient(repository.on_github.github, links.token(repository)) as client:
                path = f"/repos/{repository.on_github.name}/hooks/{repository.hook_id}"
                await asyncio.to_thread(client.delete, path)
    except NotFoundError:
        reason = None
    except HomeportError as error:
        reason = error.message
    links.remove_repository(repository)
    return reason


def _look(request: LinkRequest, source: Source) -> _Found:
    """Reads the repository and its branch with the token that the link will use."""
    with GitHubClient(request.repository.github, request.token) as client:
        answer = client.get(f"/repos/{request.repository.name}")
    repository = Repository(request.repository.github, str(answer["full_name"]))
    branch = request.branch or str(answer["default_branch"])
    ref = f"refs/heads/{branch}"
    head = source.list_refs(repository, request.token, ref).get(ref)
    if head is None:
        raise InputError(f"{repository.name} has no branch {branch!r}", hint="push it first, or name another: --branch")
    with temporary_folder("link") as folder:
        _, root = source.check_out(repository, request.token, head, request.folder, folder)
        name = read_config(root).name or _name(repository, request.folder)
    return _Found(repository, int(answer["id"]), branch, head, name)


def _name(repository: Repository, folder: str) -> str:
    text = repository.name.partition("/")[2] + (f"-{folder}" if folder else "")
    return slugify(text) or "server"
