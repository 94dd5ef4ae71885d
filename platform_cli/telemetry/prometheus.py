"""Counts operations since the control plane started, and says so in Prometheus' text format
(https://prometheus.io/docs/instrumenting/exposition_formats/).

Names, labels and buckets are OpenTelemetry's for MCP (open-telemetry/semantic-conventions-genai, docs/gen-ai/mcp.md,
`mcp.server.operation.duration`).
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from homeport_runtime.guard.operations import OTHER
from homeport_runtime.protocol.jsonrpc import HANDSHAKE_VERSIONS

from .operation import CALL, OK, Operation

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Another format, which has exemplars: traces that are examples of what a bucket counts
# (https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md).
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
DURATION = "mcp_server_operation_duration_seconds"
BUCKETS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
VERSIONS = frozenset((*HANDSHAKE_VERSIONS, "2026-07-28"))
# The series that a project may have; others are counted without what distinguishes them, since each costs Prometheus
# memory for weeks.
MAX_SERIES = 1000
# What a tool's own answer tells, as OpenTelemetry calls it.
TOLD = ("tool", "exception", "arguments", "unknown")
# A series of a project: values of method, tool, prompt, error type and protocol.
Labels = tuple[str, str, str, str, str]
NAMES = ("mcp_method_name", "gen_ai_tool_name", "gen_ai_prompt_name", "error_type", "mcp_protocol_version")


class _Exemplar(NamedTuple):
    """Is an operation that took `seconds` until `time` (seconds since 1970), with the id of its caller's trace."""

    trace: str
    seconds: float
    time: float


class _Series:
    """Counts durations: `counts` by bucket, the last for longer ones, with the newest of its exemplars, if any."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0
        self.exemplars: dict[int, _Exemplar] = {}


class Counted(NamedTuple):
    """Is what was counted of one series of a project: durations by bucket, and their sum in seconds."""

    project: str
    labels: Labels
    counts: tuple[int, ...]
    seconds: float


class Counters:
    def __init__(self) -> None:
        self._projects: dict[str, dict[Labels, _Series]] = {}

    def count(self, project: str, operation: Operation) -> None:
        known = self._projects.setdefault(project, {})
        labels = _labels(operation)
        if labels not in known and len(known) >= MAX_SERIES:
            labels = (operation.method, OTHER, "", "" if operation.kind == OK else OTHER, "")
        series = known.get(labels)
        if series is None:
            series = known[labels] = _Series()
        seconds = operation.ms / 1000
        bucket = bisect_left(BUCKETS, seconds)
        series.counts[bucket] += 1
        series.seconds += seconds
        if operation.trace is not None:
            series.exemplars[bucket] = _Exemplar(operation.trace, seconds, time.time())

    def counted(self) -> list[Counted]:
        """Returns what was counted since the start."""
        return [
            Counted(project, labels, tuple(series.counts), series.seconds)
            for project, known in self._projects.items()
            for labels, series in known.items()
        ]

    def forget(self, project: str) -> None:
        self._projects.pop(project, None)

    def text(self, workers: Mapping[str, int], lost: int, *, open_metrics: bool = False) -> str:
        """Returns all metrics; `workers` are those that run by project, and `lost` the operations that could not be
        stored.
        """
        end = ["# EOF"] if open_metrics else []
        return "\n".join([*self._lines(workers, lost, open_metrics=open_metrics), *end]) + "\n"

    def _lines(self, workers: Mapping[str, int], lost: int, *, open_metrics: bool) -> Iterator[str]:
        yield f"# HELP {DURATION} How long a server took for an operation."
        yield f"# TYPE {DURATION} histogram"
        for project, known in sorted(self._projects.items()):
            for labels, series in sorted(known.items()):
                said = _said((("project", project), ("network_transport", "tcp"), *zip(NAMES, labels, strict=True)))
                yield from _histogram(said, series, has_exemplars=open_metrics)
        yield "# HELP homeport_workers Workers that run."
        yield "# TYPE homeport_workers gauge"
        for project, count in sorted(workers.items()):
            yield f"homeport_workers{{{_said([('project', project)])}}} {count}"
        # In OpenMetrics a counter is called by what its sample has before the suffix.
        lost_name = f"homeport_operations_lost{'' if open_metrics else '_total'}"
        yield f"# HELP {lost_name} Operations that are not in the platform's own metrics."
        yield f"# TYPE {lost_name} counter"
        yield f"homeport_operations_lost_total {lost}"


def _labels(operation: Operation) -> Labels:
    name = operation.name or ""
    is_tool = operation.method == CALL
    protocol = operation.protocol or ""
    return (
        operation.method,
        name if is_tool else "",
        "" if is_tool else name,
        error_type(operation.kind, operation.code),
        protocol if not protocol or protocol in VERSIONS else OTHER,
    )


def error_type(kind: str, code: int | None) -> str:
    """Returns the code of a JSON-RPC error, `tool_error` for a tool's own, else the kind of failure; "" for none."""
    if kind == OK:
        return ""
    if code is not None:
        return str(code)
    return "tool_error" if kind in TOLD else kind


def _histogram(said: str, series: _Series, *, has_exemplars: bool) -> Iterator[str]:
    total = 0
    for bucket, (limit, count) in enumerate(zip((*map(_number, BUCKETS), "+Inf"), series.counts, strict=True)):
        total += count
        example = series.exemplars.get(bucket) if has_exemplars else None
        yield f'{DURATION}_bucket{{{said},le="{limit}"}} {total}{_exemplar(example)}'
    yield f"{DURATION}_sum{{{said}}} {series.seconds:.6f}"
    yield f"{DURATION}_count{{{said}}} {total}"


def _exemplar(example: _Exemplar | None) -> str:
    if example is None:
        return ""
    return f' # {{trace_id="{example.trace}"}} {example.seconds:.6f} {example.time:.3f}'


def _number(limit: float) -> str:
    return f"{limit:.1f}" if limit >= 1 else f"{limit:g}"


def _said(labels: Iterable[tuple[str, str]]) -> str:
    """Returns labels as text; one without a value is the same as none."""
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels if value)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
