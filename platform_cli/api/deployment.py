"""What `homeport deployments` lists, and the log of a build."""

from __future__ import annotations

from .shape import Shape


class DeploymentEntry(Shape):
    """One deploy of a project, from a laptop or of a commit, begun at `at` (seconds since 1970); it took `seconds`.

    `release` is what came of it, None when nothing did. `source` is `laptop` or the commit, None where a preview was
    ended; `who` deployed or wrote it, and `message` is theirs. `result` is `live`, `failed`, or what
    `pushes.deployments` says of commits.
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
    """How the platform built the commit `sha`; `state` is what became of it."""

    log: str
    sha: str | None
    state: str
