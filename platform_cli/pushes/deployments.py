"""Defines the queue of commits to deploy and the state of each, which is on disk before GitHub gets its answer."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..api.deployment import DeploymentEntry
from ..api.release import Release
from ..origin import describe_release

# The seconds for which a delivery is remembered; GitHub delivers again what is up to three days old.
REMEMBERED_S = 30 * 86400.0
# The number of deployments that are kept for each project.
KEPT = 200

DeploymentState = Literal["waiting", "running", "live", "failed", "overtaken", "gone"]


@dataclass(frozen=True, slots=True)
class DeploymentRequest:
    """Asks for the commit `sha` of `project` to be deployed.

    None asks for the end of the project, as closing the pull request `pull` does for its preview. `link` is the linked
    project to which it belongs.
    """

    project: str
    link: str
    sha: str | None
    pull: int | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """Is one commit of the queue, waiting, running or done.

    `overtaken` is the state of one that a newer commit has replaced, `gone` of an ended preview. `id` counts up within
    a project. `reported` is the last state that GitHub knows, `github_id` GitHub's own id of the deployment.
    """

    id: int
    project: str
    link: str
    pull: int | None
    sha: str | None
    state: DeploymentState
    queued_at: float
    started_at: float | None = None
    ended_at: float | None = None
    author: str | None = None
    message: str | None = None
    release: int | None = None
    error: str | None = None
    reported: DeploymentState = "waiting"
    github_id: int | None = None
    blocked: bool = False
    difference: Mapping[str, Any] | None = None


# Returns the deployments of a project that a new one overtakes, None if the new one is not needed.
Decide = Callable[[Sequence[Deployment], DeploymentRequest], Sequence[Deployment] | None]


class Deployments(ABC):
    """Implements the queue over a store, whose own methods are the abstract ones."""

    def receive(self, delivery: str, requests: Iterable[DeploymentRequest]) -> list[str]:
        """Stores a delivery with its requests in one transaction, and returns the projects that have something to do.

        There are none for a repeated delivery.
        """
        return self.insert(requests, _overtaken, delivery)

    def add(self, request: DeploymentRequest, *, again: bool = False) -> bool:
        """Adds a request, and returns False if its commit is the project's newest already, unless it
        is wanted `again`.
        """
        return bool(self.insert([request], _waiting if again else _overtaken, None))

    def restart(self, project: str) -> None:
        """Makes what was running wait again, or overtaken if something newer waits."""
        known = self.of(project)
        for deployment in known:
            if deployment.state == "running":
                self.update(deployment, state="overtaken" if _waiting(known) else "waiting")

    def begin(self, project: str) -> Deployment | None:
        """Starts the deployment that waits, and returns it, None if none waits."""
        while waiting := _waiting(self.of(project)):
            chosen = waiting[0]
            if self.update(chosen, only_if="waiting", state="running", started_at=time.time()):
                self.clear_log(chosen)
                return next(one for one in self.of(project) if one.id == chosen.id)
        return None

    def end(self, deployment: Deployment, state: DeploymentState, **fields: Any) -> None:
        self.update(deployment, state=state, ended_at=time.time(), **fields)

    def newest(self, project: str) -> Deployment | None:
        return _newest(self.of(project))

    def live(self, project: str) -> Deployment | None:
        return next((known for known in self.of(project) if known.state == "live"), None)

    def unreported(self, project: str) -> list[Deployment]:
        """Returns the deployments whose state GitHub has to learn, the oldest first."""
        return [known for known in reversed(self.of(project)) if needs_word(known)]

    def github_id(self, project: str) -> int | None:
        """Returns GitHub's id of the project's newest deployment that it knows, None without one."""
        return next((known.github_id for known in self.of(project) if known.github_id is not None), None)

    @abstractmethod
    def of(self, project: str) -> list[Deployment]:
        """Returns the project's deployments, the newest first."""

    @abstractmethod
    def insert(self, requests: Iterable[DeploymentRequest], decide: Decide, delivery: str | None) -> list[str]:
        """Stores the requests that are needed and their delivery in one transaction, and returns their projects.

        A repeated delivery stores nothing. Of each project only the newest KEPT stay.
        """

    @abstractmethod
    def update(self, deployment: Deployment, *, only_if: DeploymentState | None = None, **fields: Any) -> bool:
        """Changes fields of a deployment, and returns False without a change if its state is not `only_if` any more."""

    @abstractmethod
    def append_log(self, deployment: Deployment, line: str) -> None: ...

    @abstractmethod
    def clear_log(self, deployment: Deployment) -> None: ...

    @abstractmethod
    def log(self, deployment: Deployment) -> str: ...

    @abstractmethod
    def previews(self, link: str) -> list[str]: ...

    @abstractmethod
    def forget(self, project: str) -> None:
        """Removes the deployments of a project that was destroyed; of a preview, the pull request still
        gets its end.
        """

    @abstractmethod
    def comment(self, preview: str) -> int | None: ...

    @abstractmethod
    def set_comment(self, preview: str, github_id: int) -> None: ...


def list_deployments(commits: Sequence[Deployment], versions: Iterable[Release]) -> list[DeploymentEntry]:
    """Returns the deploys of a project, the newest first: its commits, and those of its `versions` that came from
    laptops.
    """
    laptop = [describe_release(version) for version in versions if version["origin"]["sha"] is None]
    return sorted([*laptop, *map(_describe, commits)], key=lambda one: -one["at"])


def _describe(deployment: Deployment) -> DeploymentEntry:
    started, ended = deployment.started_at, deployment.ended_at
    return {
        "release": f"v{deployment.release}" if deployment.release else None,
        "source": deployment.sha,
        "who": deployment.author,
        "at": started or deployment.queued_at,
        "result": deployment.state,
        "seconds": ended - started if ended and started else None,
        "message": deployment.message,
        "error": deployment.error,
    }


def needs_word(known: Deployment) -> bool:
    """Tells whether GitHub has to learn the state; it does not if the deployment was overtaken before GitHub knew of
    it.
    """
    return known.state not in ("waiting", known.reported) and (known.state, known.reported) != ("overtaken", "waiting")


def _newest(known: Sequence[Deployment]) -> Deployment | None:
    return next((one for one in known if one.state != "overtaken"), None)


def _waiting(known: Sequence[Deployment], _request: DeploymentRequest | None = None) -> list[Deployment]:
    return [one for one in known if one.state == "waiting"]


def _overtaken(known: Sequence[Deployment], request: DeploymentRequest) -> list[Deployment] | None:
    newest = _newest(known)
    if newest and newest.sha == request.sha and newest.state != "failed":
        return None
    return _waiting(known)
