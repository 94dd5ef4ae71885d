"""A record of a project's log, as `homeport logs --json` prints it."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

Level = Literal["debug", "info", "warning", "error"]


class CallDetail(TypedDict):
    """A call of a tool: who called it, whether it worked (`ok`, `error`, `abandoned`), how many milliseconds it took,
    and whether it found a worker that ran (`warm`) or had to wait for one (`cold`).
    """

    tool: str
    client: str
    status: str
    ms: float
    start: str


class LogRecord(TypedDict):
    """What a server printed, or who called what, at `time` (seconds since 1970); `release` is `-` where the line does
    not say. `request` is the id of a call's HTTP request; `worker` is a process of `project` on the platform at home.
    A server may give it further fields, each a single value, of which nothing is known here.
    """

    time: float
    level: Level
    message: str
    release: str
    call: NotRequired[CallDetail]
    request: NotRequired[str]
    project: NotRequired[str]
    worker: NotRequired[int]
