"""Defines what `homeport versions` lists."""

from __future__ import annotations

from typing import Literal

from .shape import Shape


class ReleaseOrigin(Shape):
    """Tells where a release came from: the laptop of `author` (user@host), or the commit `sha` by `author`.

    `message` is the commit's. Making the release took `seconds`, and `path` is the PATH of its author's shell. What is
    not known is None.
    """

    author: str | None
    sha: str | None
    message: str | None
    seconds: float | None
    path: str | None


class Release(Shape):
    """Describes one release of a project, which was made at `created_at` (seconds since 1970).

    `state` is `failed` for one that never served, with its `error`. `reason` is why it was made: `deploy`, `secret
    NAME`, or the stack that it belongs to. `secrets` are the versions of its secrets, None if the target does not count
    them.
    """

    release: str
    state: Literal["active", "inactive", "failed"]
    created_at: float
    bundle: str
    reason: str
    secrets: dict[str, int | None]
    error: str | None
    origin: ReleaseOrigin
