"""Defines the platform's own answers: its state, its tokens, its domain, and the garbage that it has collected."""

from __future__ import annotations

from typing import Literal

from .shape import Shape
from .status import StatusWithToken

# How a platform keeps its servers apart: all as its own user in namespaces (or by Landlock), each as a user of its own
# besides, or each in a container.
Isolate = Literal["namespaces", "users", "container"]


class PublicSide(Shape):
    """Tells where others reach the platform: over TCP at `api_url`, and by the public name `domain`.

    `caddyfile` configures Caddy for the domain, and `edge_error` is what keeps public names from working. Each is None
    if there is none.
    """

    api_url: str | None
    domain: str | None
    caddyfile: str | None
    edge_error: str | None


class PlatformState(PublicSide):
    """Describes a running platform: its homeport `version`, the version of its `api`, and the number of its `projects`.

    Its processes are `pid` and the `master` that started it, and `isolate` says how servers are kept apart; on AWS all
    are None.
    """

    version: str
    api: int
    pid: int | None
    master: int | None
    projects: int
    isolate: Isolate | None


class ListedToken(Shape):
    """Describes a token of the platform: `platform` is for another machine, `console` for a browser with the console.

    Its times are in seconds since 1970; `used_at` is None before the first use, and `expires_at` if it never ends.
    """

    name: str
    kind: Literal["platform", "console"]
    created_at: float
    used_at: float | None
    expires_at: float | None


class NewToken(Shape):
    """Holds a token that was just made, which is shown only once."""

    name: str
    token: str


class DomainSet(Shape):
    """Holds the public name that the platform has now, None if it was taken away.

    `closed` are the projects that everyone could call before, each with the token that its callers need from now on.
    """

    domain: str | None
    closed: list[StatusWithToken]


class Isolated(Shape):
    """Says how servers are kept apart from now on."""

    isolate: Isolate


class PublicName(Shape):
    """Holds the public name that Caddy serves, None without one."""

    domain: str | None


WasteKind = Literal["release", "bundle", "layer", "runtime", "image", "temporary"]


class WastePiece(Shape):
    """Describes something that nothing needs any more.

    Its removal frees `bytes`, which is 0 for a release, a mere entry, and for an image, whose layers others may share.
    """

    kind: WasteKind
    name: str
    bytes: int


class Stopping(Shape):
    """Announces that the platform ends after this answer."""

    stopping: Literal[True]


class Restarting(Shape):
    """Announces that the platform restarts after this answer."""

    restarting: Literal[True]


class Destroyed(Shape):
    """Holds the name of a project that was removed."""

    destroyed: str


class Revoked(Shape):
    """Holds the name of a token that was revoked."""

    revoked: str
