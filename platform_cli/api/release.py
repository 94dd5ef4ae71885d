"""What `homeport versions` lists."""

from __future__ import annotations

from typing import Literal

from .shape import Shape


class ReleaseOrigin(Shape):
    """Where a release came from: the laptop of `author` (user@host), or the commit `sha` by `author` with a `message`.
    Making it took `seconds`; `path` is where its author's shell finds programs. None stands for what nobody knows.
    """

    author: str | None
    sha: str | None
    message: str | None
    seconds: float | None
    path: str | None


class Release(Shape):
    """One release of a project, which was made at `created_at` (seconds since 1970).

    `state` is `failed` for one that never served, with its `error`. `reason` is what made it: `deploy`, `secret NAME`,
    or the stack that it belongs to. `secrets` are the versions of the secrets that it has, None where the target does
    not count them.
    """

    release: str
    state: Literal["active", "inactive", "failed"]
    created_at: float
    bundle: str
    reason: str
    secrets: dict[str, int | None]
    error: str | None
    origin: ReleaseOrigin
