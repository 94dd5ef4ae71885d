"""Defines a line of a project's audit log, as `homeport audit --json` prints it, and what verifying the log found."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from .shape import Shape

# What became of a call. `error` is the server's own answer; `denied`, `limited`, `refused` and `unauthorized` mean that
# homeport did not pass it on: its scopes, its limit, its form, its token. `abandoned`: the client left before the
# answer. `crash`: the worker ended in the call.
Result = Literal["success", "error", "denied", "limited", "refused", "unauthorized", "abandoned", "timeout", "crash"]


class AuditEntry(TypedDict):
    """Describes a call: eight fields say who did what (timestamp to ip_address), the others where it is found.

    `timestamp` is in UTC (RFC 3339). `arguments` are as the project's `[audit] arguments` has them, None where there
    are none or none are kept. `client_id` is what the token was made for, None if nobody was identified. A line with
    `lost` stands for that many calls whose lines could not be written. `instance` names the process whose chain it is
    in, where there is no platform that binds the lines of all. `prev` is the hash of the line before,
    `hash` that of this line.
    """

    seq: int
    timestamp: str
    client_id: str | None
    tool_name: str | None
    arguments: Any
    result: Result
    scopes_used: list[str]
    user_id: str | None
    ip_address: str | None
    method: str
    project: str
    release: str
    request: str | None
    ms: float
    reason: NotRequired[str]
    lost: NotRequired[int]
    instance: NotRequired[str]
    prev: str
    hash: str


class Verified(Shape):
    """Reports on a whole audit log: `lines` from `first` to `last`, and the first thing that is wrong, if any.

    `broken_at` is the number of the line where it is wrong, `problem` says what. `first` and `last` are None where each
    instance has a chain of its own.
    """

    project: str
    ok: bool
    lines: int
    first: int | None
    last: int | None
    broken_at: int | None
    problem: str | None
