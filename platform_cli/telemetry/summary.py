"""Answers what a project did in a period: how many operations, how they ended, and how long they took."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from ..api.metrics import By, Metrics, MetricsRow, MetricsStep
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
    """Counts operations that have the same `keys`, `kind` and `step`, with their durations by bucket."""

    keys: Mapping[By, str]
    kind: str
    step: int
    count: int
    cold: int
    bytes_in: int
    bytes_out: int
    buckets: Counter[int]


def _add(counted: Counter[int], more: Mapping[int, int]) -> None:
    # Counter.update takes three times as long for a few buckets, and a page adds some ten thousand.
    for bucket, count in more.items():
        counted[bucket] += count


@dataclass
class _Step:
    kinds: Counter[str] = field(default_factory=Counter)
    buckets: Counter[int] = field(default_factory=Counter)

    def add(self, part: _Part) -> None:
        self.kinds[part.kind] += part.count
        _add(self.buckets, part.buckets)

    def data(self) -> MetricsStep:
        return {"kinds": _by_number(self.kinds), **_percentiles(self.buckets)}


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

    def add(self, part: _Part, step: int) -> None:
        self.kinds[part.kind] += part.count
        _add(self.buckets, part.buckets)
        self.cold += part.cold
        self.bytes_in += part.bytes_in
        self.bytes_out += part.bytes_out
        self.series[step] += part.count
        self.failures[step] += part.count if part.kind != OK else 0

    def row(self, key: str | None) -> MetricsRow:
        return {
            "key": key,
            "operations": self.kinds.total(),
            "failed": self.kinds.total() - self.kinds[OK],
            "kinds": _by_number(self.kinds),
            **_percentiles(self.buckets),
            "cold": self.cold,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "series": self.series,
            "failures": self.failures,
        }


@dataclass(frozen=True, slots=True)
class _Period:
    """Is a time in steps, of which each operation is read if it `is_raw`, and otherwise the sums of each hour."""

    since: float
    until: float
    step_s: float
    is_raw: bool

    @property
    def steps(self) -> int:
        return max(math.ceil((self.until - self.since) / self.step_s), 1)


def _period(since: float, until: float, *, is_raw: bool) -> _Period:
    """Returns the steps of a time; a long one begins with a full hour."""
    is_raw = is_raw or until - since <= RAW_S
    span = max(until - since, 1.0)
    if is_raw:
        return _Period(since, until, span / STEPS, is_raw)
    return _Period(since // HOUR_S * HOUR_S, until, math.ceil(span / HOUR_S / STEPS) * HOUR_S, is_raw)


def summarize(path: Path, project: str, since: float, until: float, by: By) -> Metrics:
    """Returns what a project did. It may take a second, and reads alone.

    Raises sqlite3.Error if the file cannot be read.
    """
    return break_down(path, project, since, until, (by,))[by]


def break_down(path: Path, project: str, since: float, until: float, bys: Collection[By]) -> dict[By, Metrics]:
    """Returns what a project did in each of several ways, of which it is read once."""
    period = _period(since, until, is_raw="client" in bys)
    total, sums = _Sum(period.steps), {by: dict[str, _Sum]() for by in bys}
    steps = [_Step() for _ in range(period.steps)]
    with closing(_open(path)) as db:
        for part in _parts(db, project, period):
            # The clock may have gone back meanwhile.
            step = min(max(part.step, 0), period.steps - 1)
            total.add(part, step)
            steps[step].add(part)
            for by, found in sums.items():
                key = part.keys[by]
                if key not in found:
                    found[key] = _Sum(period.steps)
                found[key].add(part, step)
    return {
        by: {
            "project": project,
            "since": period.since,
            "until": until,
            "step_s": period.step_s,
            "by": by,
            "total": total.row(None),
            "rows": sorted(
                (each.row(key) for key, each in found.items()), key=lambda row: (-row["operations"], row["key"])
            ),
            "steps": [each.data() for each in steps],
        }
        for by, found in sums.items()
    }


def totals(path: Path, projects: Iterable[str], since: float, until: float) -> dict[str, MetricsRow]:
    """Returns the sums of several projects, by their names.

    Raises sqlite3.Error if the file cannot be read.
    """
    period, found = _period(since, until, is_raw=False), {}
    with closing(_open(path)) as db:
        for project in projects:
            total = _Sum(period.steps)
            for part in _parts(db, project, period):
                total.add(part, min(max(part.step, 0), period.steps - 1))
            found[project] = total.row(None)
    return found


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    db.create_function("bucket_of", 1, bucket_of, deterministic=True)
    return db


def _parts(db: sqlite3.Connection, project: str, period: _Period) -> Iterator[_Part]:
    values = {"project": project, "since": period.since, "until": period.until, "step": period.step_s}
    rows = db.execute(_RAW if period.is_raw else _HOURS, values)
    for method, name, client, release, kind, *numbers, bucket, histogram in rows:
        keys: dict[By, str] = {
            "tool": _what(str(method), name), "method": str(method), "client": str(client), "release": f"v{release}",
        }  # fmt: skip
        buckets = read_histogram(str(histogram)) if histogram is not None else Counter[int]()
        step, count, cold, bytes_in, bytes_out = numbers
        if bucket is not None and kind not in REFUSED:
            buckets[bucket] += count
        yield _Part(keys, str(kind), step, count, cold, bytes_in, bytes_out, buckets)


def _what(method: str, name: object) -> str:
    """Returns what people call an operation: a tool by its name, others by their method."""
    if name is None:
        return method
    return str(name) if method == CALL else f"{method} {name}"


class _Percentiles(TypedDict):
    p50: float | None
    p95: float | None
    p99: float | None


def _percentiles(buckets: Counter[int]) -> _Percentiles:
    return {
        "p50": _rounded(percentile(buckets, 0.5)),
        "p95": _rounded(percentile(buckets, 0.95)),
        "p99": _rounded(percentile(buckets, 0.99)),
    }


def _by_number(kinds: Counter[str]) -> dict[str, int]:
    return {kind: count for kind, count in kinds.most_common() if count}


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 3)
