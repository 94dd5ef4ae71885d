"""Defines a record of a project's log, as `homeport logs --json` prints it."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

Level = Literal["debug", "info", "warning", "error"]


class CallDetail(TypedDict):
    """Describes a call of a tool: the client, the status (`ok`, `error`, `abandoned`), and the milliseconds it took.

    `start` tells whether the call found a running worker (`warm`) or waited for one (`cold`).
    """

    tool: str
    client: str
    status: str
    ms: float
    start: str


class LogRecord(TypedDict):
    """Describes a line that a server printed, or a call, at `time` (seconds since 1970).

    `release` is `-` if the line does not name one. `request` is the id of a call's HTTP request, and `worker` the id of
    a process of `project` on the platform at home. A server may add further fields, each a single value, which homeport
    passes on as they are.
    """

    time: float
    level: Level
    message: str
    release: str
    call: NotRequired[CallDetail]
    request: NotRequired[str]
    project: NotRequired[str]
    worker: NotRequired[int]
