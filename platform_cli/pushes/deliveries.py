"""Puts into the queue what GitHub's deliveries ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..config.names import MAX_ON_ANY_TARGET
from ..github.webhook import PullRequest, Push, is_signed, read_event
from .deployments import DeploymentRequest, Deployments
from .links import Link, LinkedRepository, Links
from .pings import Pings


class Deliveries:
    """Handles deliveries of GitHub's, and calls `wake` for each project that has something in the queue."""

    def __init__(self, links: Links, deployments: Deployments, pings: Pings, wake: Callable[[str], None]) -> None:
        self._links = links
        self._deployments = deployments
        self._pings = pings
        self._wake = wake

    def known(self, hook_id: int) -> list[LinkedRepository]:
        """Returns the repositories whose webhook may have this id."""
        return self._links.with_hook(hook_id)

    def sender(self, known: Iterable[LinkedRepository], body: bytes, signature: str | None) -> LinkedRepository | None:
        """Returns the one of `known` that signed `body`, None if none did."""
        for repository in known:
            if is_signed(self._links.webhook_secret(repository), body, signature):
                return repository
        return None

    def receive(self, repository: LinkedRepository, delivery: str, event: str, body: bytes) -> list[str]:
        """Returns the projects that are deployed because of a delivery; the queue is on disk before this returns.

        Raises ValueError for a body that is not GitHub's.
        """
        if event == "ping" and repository.hook_id is not None:
            self._pings.arrived(repository.hook_id)
        found = read_event(event, body)
        if found is None or found.repository_id != repository.github_id:
            return []
        if found.repository != repository.on_github.name:
            self._links.rename(repository, found.repository)
        requests = [one for link in self._links.of(repository) if (one := _request(link, found))]
        projects = self._deployments.receive(delivery, requests)
        for one in requests:
            # Wakes the project for a repeated delivery, too: the process may have ended between the commit and this.
            self._wake(one.project)
        return projects


def _request(link: Link, event: Push | PullRequest) -> DeploymentRequest | None:
    if isinstance(event, Push):
        wants = event.branch == link.branch and event.touches(link.folder)
        return DeploymentRequest(link.project, link.project, event.sha) if wants else None
    # Anybody can write a fork's code, so a fork gets no preview, which would run here with the project's secrets.
    if not link.previews or event.base != link.branch or event.from_fork:
        return None
    return DeploymentRequest(
        preview_name(link.project, event.number), link.project, event.sha if event.is_open else None, event.number
    )


def preview_name(project: str, number: int) -> str:
    suffix = f"-pr-{number}"
    return project[: MAX_ON_ANY_TARGET - len(suffix)].rstrip("-") + suffix
