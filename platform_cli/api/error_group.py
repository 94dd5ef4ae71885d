"""Defines the errors of a project's server, in groups of those that have one cause."""

from __future__ import annotations

from typing import Literal

from .shape import Shape

# What a group may be made: `resolved` in the next release, `muted`, or open again.
Change = Literal["open", "resolved", "muted"]
# `regressed` is an open group that was resolved, and came back in a later release.
State = Literal["open", "regressed", "resolved", "muted"]


class ErrorFrame(Shape):
    """Describes one place of a traceback: a file, the function in it, and the line's number.

    `own` tells whether the code is the server's own; its `file` is then relative to the project. `source` are lines
    around it, of which the first has the number `source_start`, and none if they are not known.
    """

    file: str
    function: str
    line: int
    own: bool
    source: list[str]
    source_start: int


class ErrorSample(Shape):
    """Describes one of the errors of a group, which happened at `time` (seconds since 1970) in `release`.

    `frames` are those of its traceback from the server's own code on, the innermost last. `request` is the id that its
    log records have, None if it belongs to no request.
    """

    time: float
    release: str
    request: str | None
    message: str
    frames: list[ErrorFrame]


class ErrorRelease(Shape):
    """Counts the errors of a group in one release."""

    release: str
    count: int
    first_seen: float
    last_seen: float


class ErrorGroup(Shape):
    """Describes errors that have one cause; times are seconds since 1970.

    `kind` is `exception`, or `crash` if the server's process ended. `type` is the exception's. Of the newest error
    `message` is what it says, `method` and `name` what was asked (such as `tools/call` and a tool), and `where` the
    innermost place in the server's own code, `server.py:12`; they are None if there is none. It is `state` since
    `state_at`. One that was resolved in `state_release` regresses in a later one, which is then its `state_release`.
    """

    id: int
    project: str
    kind: Literal["exception", "crash"]
    type: str
    message: str
    method: str | None
    name: str | None
    where: str | None
    state: State
    state_release: str | None
    state_at: float
    count: int
    first_seen: float
    first_release: str
    last_seen: float
    last_release: str


class ErrorGroupDetail(ErrorGroup):
    """Describes a group with its counts by `releases`, the newest first, and with its newest `samples`."""

    releases: list[ErrorRelease]
    samples: list[ErrorSample]
