"""The platform itself: what it says of itself, its tokens, its domain, and what it has cleared away."""

from __future__ import annotations

from typing import Literal

from .shape import Shape
from .status import StatusWithToken


class PublicSide(Shape):
    """Where others reach the platform: over TCP at `api_url`, by the public name `domain`, of which Caddy is told in
    `caddyfile`. `edge_error` is what keeps public names from working. Each is None where there is none.
    """

    api_url: str | None
    domain: str | None
    caddyfile: str | None
    edge_error: str | None


class PlatformState(PublicSide):
    """A running platform, of homeport `version`, which speaks the API in version `api` and has so many `projects`. Its
    processes are `pid` and the `master` that started it; on AWS both are None.
    """

    version: str
    api: int
    pid: int | None
    master: int | None
    projects: int


class ListedToken(Shape):
    """A token for other machines, by its name. Times are in seconds since 1970, `used_at` is None before the first."""

    name: str
    created_at: float
    used_at: float | None


class NewToken(Shape):
    """A token that was just made, which is told this once."""

    name: str
    token: str


class DomainSet(Shape):
    """The public name that the platform has now; `closed` are the projects that everyone could call before, each with
    the token that its callers need from now on.
    """

    domain: str | None
    closed: list[StatusWithToken]


class PublicName(Shape):
    """The public name that Caddy serves, None without one."""

    domain: str | None


WasteKind = Literal["release", "bundle", "layer", "runtime", "temporary"]


class WastePiece(Shape):
    """Something that nothing needs any more; its removal frees `bytes`, none for a release, which is an entry alone."""

    kind: WasteKind
    name: str
    bytes: int


class Stopping(Shape):
    """The platform ends when this has been answered."""

    stopping: Literal[True]


class Restarting(Shape):
    """The platform starts anew when this has been answered."""

    restarting: Literal[True]


class Destroyed(Shape):
    """The name of a project that is gone."""

    destroyed: str


class Revoked(Shape):
    """The name of a token that opens nothing any more."""

    revoked: str
