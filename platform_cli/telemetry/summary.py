"""Answers what a project did in a period: how many operations, how they ended, and how long they took."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..api.metrics import By, Metrics, MetricsRow
from .histogram import bucket_of, percentile
from .operation import CALL, OK, REFUSED
from .store import HOUR_S, read_histogram

# Up to this period each operation is read, and above it the sums of each hour, where there are any.
RAW_S = 2 * HOUR_S
# About how many steps a period has.
STEPS = 24
# What is read of each: method, tool, client, release, kind, time, number, cold, bytes in and out.
_RAW = """
SELECT c.method, t.text, n.text, c.release, c.kind, CAST((c.ts - :since) / :step AS INTEGER), count(*), sum(c.cold),
       sum(c.bytes_in), sum(c.bytes_out), bucket_of(c.ms), NULL
FROM calls c LEFT JOIN names t ON t.id = c.tool LEFT JOIN names n ON n.id = c.client
WHERE c.project = :project AND c.ts >= :since AND c.ts < :until GROUP BY 1, 2, 3, 4, 5, 6, 11
"""
_HOURS = """
SELECT h.method, t.text, NULL, h.release, h.kind, CAST((h.hour - :since) / :step AS INTEGER), h.n, h.cold,
       h.bytes_in, h.bytes_out, NULL, h.histogram
FROM hours h LEFT JOIN names t ON t.id = h.tool
WHERE h.project = :project AND h.hour >= :since AND h.hour < :until
"""


@dataclass(frozen=True, slots=True)
class _Part:
    """Counts operations that have the same `key`, `kind` and `step`, with their durations by bucket."""

    key: str
    kind: str
    step: int
    count: int
    cold: int
    bytes_in: int
    bytes_out: int
    buckets: Counter[int]


@dataclass
class _Sum:
    steps: int
    kinds: Counter[str] = field(default_factory=Counter)
    buckets: Counter[int] = field(default_factory=Counter)
    cold: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    series: list[int] = field(init=False)
    failures: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.series, self.failures = [0] * self.steps, [0] * self.steps

    def add(self, part: _Part) -> None:
        self.kinds[part.kind] += part.count
        self.buckets.update(part.buckets)
        self.cold += part.cold
        self.bytes_in += part.bytes_in
        self.bytes_out += part.bytes_out
        # The clock may have gone back meanwhile.
        step = min(max(part.step, 0), self.steps - 1)
        self.series[step] += part.count
        self.failures[step] += part.count if part.kind != OK else 0

    def row(self, key: str | None) -> MetricsRow:
        return {
            "key": key,
            "operations": self.kinds.total(),
            "failed": self.kinds.total() - self.kinds[OK],
            "kinds": {kind: count for kind, count in self.kinds.most_common() if count},
            "p50": _rounded(percentile(self.buckets, 0.5)),
            "p95": _rounded(percentile(self.buckets, 0.95)),
            "p99": _rounded(percentile(self.buckets, 0.99)),
            "cold": self.cold,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "series": self.series,
            "failures": self.failures,
        }


def summarize(path: Path, project: str, since: float, until: float, by: By) -> Metrics:
    """Returns what a project did; a long period begins with a full hour. It may take a second, and reads alone.

    Raises sqlite3.Error if the file cannot be read.
    """
    is_raw = by == "client" or until - since <= RAW_S
    span = max(until - since, 1.0)
    step = span / STEPS if is_raw else math.ceil(span / HOUR_S / STEPS) * HOUR_S
    if not is_raw:
        since = since // HOUR_S * HOUR_S
    steps = max(math.ceil((until - since) / step), 1)
    total, sums = _Sum(steps), dict[str, _Sum]()
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        db.create_function("bucket_of", 1, bucket_of, deterministic=True)
        values = {"project": project, "since": since, "until": until, "step": step}
        for part in _parts(db.execute(_RAW if is_raw else _HOURS, values), by):
            total.add(part)
            sums.setdefault(part.key, _Sum(steps)).add(part)
    rows = sorted((each.row(key) for key, each in sums.items()), key=lambda row: (-row["operations"], row["key"]))
    return {
        "project": project, "since": since, "until": until, "step_s": step, "by": by, "total": total.row(None),
        "rows": rows,
    }  # fmt: skip


def _parts(rows: Iterable[tuple[Any, ...]], by: By) -> Iterator[_Part]:
    for method, name, client, release, kind, *numbers, bucket, histogram in rows:
        keys = {"tool": _what(str(method), name), "client": str(client), "release": f"v{release}"}
        buckets = read_histogram(str(histogram)) if histogram is not None else Counter[int]()
        step, count, cold, bytes_in, bytes_out = numbers
        if bucket is not None and kind not in REFUSED:
            buckets[bucket] += count
        yield _Part(keys[by], str(kind), step, count, cold, bytes_in, bytes_out, buckets)


def _what(method: str, name: object) -> str:
    """Returns what people call an operation: a tool by its name, others by their method."""
    if name is None:
        return method
    return str(name) if method == CALL else f"{method} {name}"


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 3)
