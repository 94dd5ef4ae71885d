"""Defines a record of a project's log, as `homeport logs --json` prints it."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

Level = Literal["debug", "info", "warning", "error"]


class CallDetail(TypedDict):
    """Describes a call of a tool: the client, the status (`ok`, `error`, `abandoned`), and the milliseconds it took.

    `start` tells whether the call found a running worker (`warm`) or waited for one (`cold`). `bytes_in` and
    `bytes_out` are the sizes of request and answer. Of a failure `kind` is `arguments`, `unknown` (there is no such
    tool), `tool` (what the server meant to tell), `exception`, `protocol` (a JSON-RPC error for another reason),
    `abandoned`, `timeout`, or `crash` (its worker ended), and `code` that of its JSON-RPC error. `protocol` is the
    revision of MCP, and `trace` and `parent` are the ids of the caller's trace and of its span (W3C Trace Context),
    where the caller says them.
    """

    tool: str
    client: str
    status: str
    ms: float
    start: str
    bytes_in: NotRequired[int]
    bytes_out: NotRequired[int]
    kind: NotRequired[str]
    code: NotRequired[int]
    protocol: NotRequired[str]
    trace: NotRequired[str]
    parent: NotRequired[str]


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
