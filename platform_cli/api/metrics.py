"""Defines what a project has answered, as `homeport metrics --json` prints it."""

from __future__ import annotations

from typing import Literal

from .shape import Shape

By = Literal["tool", "method", "client", "release"]


class MetricsRow(Shape):
    """Sums up operations: all of them, or those of the tool, method, client or release `key`.

    `failed` are those that did not come to `ok`, and `kinds` says what each came to (api.log_record.CallDetail, and
    `refused` and `limited` for what the server never got). `p50`, `p95` and `p99` are the milliseconds within which so
    many percent were answered, None if none was; they are right within 5 %. `cold` calls waited for a worker to start.
    `series` and `failures` count by step.
    """

    key: str | None
    operations: int
    failed: int
    kinds: dict[str, int]
    p50: float | None
    p95: float | None
    p99: float | None
    cold: int
    bytes_in: int
    bytes_out: int
    series: list[int]
    failures: list[int]


class ClientCount(Shape):
    """Counts what a client has asked for, as MetricsRow does."""

    client: str
    operations: int
    failed: int
    kinds: dict[str, int]


class ReleaseCount(Shape):
    """Counts the operations that a release has answered, and those of them that failed."""

    operations: int
    failed: int


class MetricsStep(Shape):
    """Sums up the operations of one step, as MetricsRow does."""

    kinds: dict[str, int]
    p50: float | None
    p95: float | None
    p99: float | None


class Metrics(Shape):
    """Tells what a project has answered from `since` to `until` (seconds since 1970), in steps of `step_s` seconds.

    `rows` are the parts of `total`, those with the most operations first, and `steps` tell the same by time.
    """

    project: str
    since: float
    until: float
    step_s: float
    by: By
    total: MetricsRow
    rows: list[MetricsRow]
    steps: list[MetricsStep]
