"""The queue of commits to deploy, and what became of each: it is on disk before GitHub hears that we have it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..api.deployment import DeploymentEntry
from ..api.release import Release
from ..origin import describe_release

# For how long a delivery is remembered, in seconds; GitHub delivers again what is up to three days old.
REMEMBERED_S = 30 * 86400.0
# How many deployments of a project are kept.
KEPT = 200

DeploymentState = Literal["waiting", "running", "live", "failed", "overtaken", "gone"]


@dataclass(frozen=True, slots=True)
class DeploymentRequest:
    """Asks for the commit `sha` of `project` to be deployed; None asks for the end of the project, as closing the pull
    request `pull` does for its preview. `link` is the linked project that it is about.
    """

    project: str
    link: str
    sha: str | None
    pull: int | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """One commit on its way, or there. `overtaken` is one that a newer made needless, `gone` an ended preview.

    `id` counts up within a project. `reported` is the last state that GitHub knows of, `github_id` its own deployment.
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


# Of a project's deployments those that a new one overtakes; None where it is not needed.
Decide = Callable[[Sequence[Deployment], DeploymentRequest], Sequence[Deployment] | None]


class Deployments(ABC):
    """What is the same wherever they are kept, and below it what is not."""

    def receive(self, delivery: str, requests: Iterable[DeploymentRequest]) -> list[str]:
        """Remembers a delivery and what it wants, in one transaction; the projects that have something to do, of which
        there are none for a delivery that was here before.
        """
        return self.insert(requests, _overtaken, delivery)

    def add(self, request: DeploymentRequest, *, again: bool = False) -> bool:
        """False when that commit is the newest of the project already, unless it is wanted `again`."""
        return bool(self.insert([request], _waiting if again else _overtaken, None))

    def restart(self, project: str) -> None:
        """What was under way begins again, unless something newer waits."""
        known = self.of(project)
        for deployment in known:
            if deployment.state == "running":
                self.update(deployment, state="overtaken" if _waiting(known) else "waiting")

    def begin(self, project: str) -> Deployment | None:
        """The one that waits, which runs from now on."""
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
        """What GitHub has to hear of it, oldest first."""
        return [known for known in reversed(self.of(project)) if needs_word(known)]

    def github_id(self, project: str) -> int | None:
        """GitHub's number for the newest of the project's deployments that it knows."""
        return next((known.github_id for known in self.of(project) if known.github_id is not None), None)

    @abstractmethod
    def of(self, project: str) -> list[Deployment]:
        """Newest first."""

    @abstractmethod
    def insert(self, requests: Iterable[DeploymentRequest], decide: Decide, delivery: str | None) -> list[str]:
        """Those that are needed, with the delivery that they came in, in one transaction; their projects. Nothing for a
        delivery that was here before. Of each project the newest KEPT stay.
        """

    @abstractmethod
    def update(self, deployment: Deployment, *, only_if: DeploymentState | None = None, **fields: Any) -> bool:
        """False when its state is not `only_if` any more, and nothing was changed."""

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
        """All of a project that has been destroyed; of a preview the pull request still has to hear."""

    @abstractmethod
    def comment(self, preview: str) -> int | None: ...

    @abstractmethod
    def set_comment(self, preview: str, github_id: int) -> None: ...


def list_deployments(commits: Sequence[Deployment], versions: Iterable[Release]) -> list[DeploymentEntry]:
    """What came from where, newest first: the commits, and of a project's `versions` those that came from laptops."""
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
    """What was overtaken before GitHub heard of it needs none."""
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
