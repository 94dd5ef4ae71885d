"""Defines one operation that a project has answered, as the platform keeps it for a week."""

from __future__ import annotations

from .shape import Shape


class CallEntry(Shape):
    """Describes an operation that ended at `time` (seconds since 1970) and took `ms` milliseconds.

    `name` is that of the tool or prompt, None for other methods. `kind` is what it came to: `ok`, or how it failed
    (api.metrics). `code` is that of a JSON-RPC error, `request` the id of the HTTP request, by which the log has its
    lines, and `trace` the id of the caller's trace. `cold` ones waited for a worker to start.
    """

    time: float
    release: str
    method: str
    name: str | None
    client: str
    kind: str
    code: int | None
    ms: float
    cold: bool
    bytes_in: int
    bytes_out: int
    request: str | None
    trace: str | None
