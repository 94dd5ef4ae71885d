"""Defines what `homeport deployments` lists, and the log of a build."""

from __future__ import annotations

from .shape import Shape


class DeploymentEntry(Shape):
    """Describes one deploy of a project, from a laptop or of a commit, which began `at` (seconds since 1970).

    `release` is its result, None if there is none. `source` is `laptop` or the commit, None if a preview was ended;
    `who` deployed or wrote it, and `message` is theirs. `result` is `live`, `failed`, or a state of a commit (see
    `pushes.deployments`). It took `seconds`.
    """

    release: str | None
    source: str | None
    who: str | None
    at: float
    result: str
    seconds: float | None
    message: str | None
    error: str | None


class BuildLog(Shape):
    """Holds the log of the platform's build of the commit `sha`; `state` is the commit's state (see
    `pushes.deployments`).
    """

    log: str
    sha: str | None
    state: str
