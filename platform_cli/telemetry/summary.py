"""Answers what a project did in a period: how many operations, how they ended, and how long they took."""

from __future__ import annotations

import json
import math
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from ..api.metrics import By, ClientCount, Metrics, MetricsRow, MetricsStep, ReleaseCount
from .call_rows import milliseconds
from .histogram import bucket_of, percentile
from .operation import CALL, OK, REFUSED
from .store import HOUR_S

# Up to this period each operation is read, and above it the sums of each hour, where there are any.
RAW_S = 2 * HOUR_S
# About how many steps a period has.
STEPS = 24
# The calls of a project from the millisecond in which a period begins until the one before it ends.
_SELECTED = """
project = (SELECT id FROM projects WHERE name = :project) AND ts >= :since_ms AND ts < :until_ms
"""
# What is read of each: method, tool, client, release, kind, step, number, cold, bytes in and out, durations.
_RAW = f"""
SELECT s.method, s.tool, s.client, s.release, s.kind, c.step, c.number, c.cold, c.bytes_in, c.bytes_out, c.bucket
FROM (
    SELECT series, CAST((ts / 1000.0 - :since) / :step AS INTEGER) AS step, count(*) AS number, sum(cold) AS cold,
           sum(bytes_in) AS bytes_in, sum(bytes_out) AS bytes_out, bucket_of(ms / 100.0) AS bucket
    FROM calls WHERE {_SELECTED} GROUP BY 1, 2, 7
) c JOIN series s ON s.id = c.series
"""  # noqa: S608
_HOURS = """
SELECT h.method, h.tool, 0, h.release, h.kind, CAST((h.hour - :since) / :step AS INTEGER), h.n, h.cold, h.bytes_in,
       h.bytes_out, h.histogram
FROM hours h WHERE h.project = :project AND h.hour >= :since AND h.hour < :until
"""
_CLIENTS = f"""
SELECT n.text, s.kind, c.number FROM (SELECT series, count(*) AS number FROM calls WHERE {_SELECTED} GROUP BY 1) c
JOIN series s ON s.id = c.series LEFT JOIN names n ON n.id = s.client
"""  # noqa: S608
# What is summed up together: the operations of a method, a tool, a client and a release.
Key = tuple[str, int, int, int]
# How many durations there are of each bucket, whose number is text, as in the file: there are many to add up.
Buckets = dict[str, int]


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


@dataclass
class _Sum:
    """Sums up operations, and counts them by step."""

    steps: int
    kinds: Counter[str] = field(default_factory=Counter)
    buckets: Buckets = field(default_factory=dict)
    cold: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    series: list[int] = field(init=False)
    failures: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.series, self.failures = [0] * self.steps, [0] * self.steps

    def count(self, kind: str, step: int, number: int, cold: int, bytes_in: int, bytes_out: int) -> None:
        self.kinds[kind] += number
        self.cold += cold
        self.bytes_in += bytes_in
        self.bytes_out += bytes_out
        self.series[step] += number
        self.failures[step] += number if kind != OK else 0

    def add(self, other: _Sum) -> None:
        self.kinds.update(other.kinds)
        _add(self.buckets, other.buckets)
        self.cold += other.cold
        self.bytes_in += other.bytes_in
        self.bytes_out += other.bytes_out
        self.series = [mine + its for mine, its in zip(self.series, other.series, strict=True)]
        self.failures = [mine + its for mine, its in zip(self.failures, other.failures, strict=True)]

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


@dataclass
class _Step:
    kinds: Counter[str] = field(default_factory=Counter)
    buckets: Buckets = field(default_factory=dict)

    def data(self) -> MetricsStep:
        return {"kinds": _by_number(self.kinds), **_percentiles(self.buckets)}


def summarize(path: Path, project: str, since: float, until: float, by: By) -> Metrics:
    """Returns what a project did. It may take a second, and reads alone.

    Raises sqlite3.Error if the file cannot be read.
    """
    return break_down(path, project, since, until, (by,))[by]


def break_down(path: Path, project: str, since: float, until: float, bys: Collection[By]) -> dict[By, Metrics]:
    """Returns what a project did in each of several ways, of which it is read once."""
    period = _period(since, until, is_raw="client" in bys)
    with closing(_open(path)) as db:
        sums, steps = _read(db, project, period)
        names = dict(db.execute("SELECT id, text FROM names WHERE project = ?", (project,)))
    total, found = _Sum(period.steps), {by: dict[str, _Sum]() for by in bys}
    for key, each in sums.items():
        total.add(each)
        named = _named(key, names)
        for by, groups in found.items():
            groups.setdefault(named[by], _Sum(period.steps)).add(each)
    return {
        by: {
            "project": project,
            "since": period.since,
            "until": until,
            "step_s": period.step_s,
            "by": by,
            "total": total.row(None),
            "rows": sorted(
                (each.row(key) for key, each in groups.items()), key=lambda row: (-row["operations"], row["key"])
            ),
            "steps": [each.data() for each in steps],
        }
        for by, groups in found.items()
    }


def totals(path: Path, projects: Iterable[str], since: float, until: float) -> dict[str, MetricsRow]:
    """Returns the sums of several projects, by their names.

    Raises sqlite3.Error if the file cannot be read.
    """
    period, found = _period(since, until, is_raw=False), {}
    with closing(_open(path)) as db:
        for project in projects:
            total = _Sum(period.steps)
            for each in _read(db, project, period)[0].values():
                total.add(each)
            found[project] = total.row(None)
    return found


def by_client(path: Path, project: str, since: float, until: float) -> list[ClientCount]:
    """Returns how much each client has asked for, those that asked most first; clients are known for 7 days.

    Raises sqlite3.Error if the file cannot be read.
    """
    kinds: dict[str, Counter[str]] = {}
    with closing(_open(path)) as db:
        counted = db.execute(_CLIENTS, _values(project, since, until))
        for client, kind, number in counted:
            kinds.setdefault(client or "unknown", Counter())[kind] += number
    found: list[ClientCount] = [
        {
            "client": client,
            "operations": each.total(),
            "failed": each.total() - each[OK],
            "kinds": _by_number(each),
        }
        for client, each in kinds.items()
    ]
    return sorted(found, key=lambda each: (-each["operations"], each["client"]))


def by_release(path: Path, project: str, since: float) -> dict[str, ReleaseCount]:
    """Returns how much each release has answered since a time.

    Raises sqlite3.Error if the file cannot be read.
    """
    with closing(_open(path)) as db:
        counted = db.execute(
            "SELECT release, sum(n), sum(n * (kind <> ?)) FROM hours WHERE project = ? AND hour >= ? GROUP BY 1",
            (OK, project, since),
        )
        return {f"v{release}": {"operations": total, "failed": failed} for release, total, failed in counted}


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    db.create_function("bucket_of", 1, bucket_of, deterministic=True)
    return db


def _read(db: sqlite3.Connection, project: str, period: _Period) -> tuple[dict[Key, _Sum], list[_Step]]:
    """Returns the operations of a period, summed up by what they have in common, and by time."""
    sums: dict[Key, _Sum] = {}
    steps = [_Step() for _ in range(period.steps)]
    values = {**_values(project, period.since, period.until), "step": period.step_s}
    for method, tool, client, release, kind, at, *numbers, durations in db.execute(
        _RAW if period.is_raw else _HOURS, values
    ):
        # The clock may have gone back meanwhile.
        step = min(max(at, 0), period.steps - 1)
        key = (method, tool, client, release)
        if (found := sums.get(key)) is None:
            found = sums[key] = _Sum(period.steps)
        found.count(kind, step, *numbers)
        steps[step].kinds[kind] += numbers[0]
        if kind not in REFUSED:
            buckets = {str(durations): numbers[0]} if period.is_raw else json.loads(durations)
            _add(found.buckets, buckets)
            _add(steps[step].buckets, buckets)
    return sums, steps


def _values(project: str, since: float, until: float) -> dict[str, str | float]:
    until_ms = -milliseconds(-until)
    return {"project": project, "since": since, "until": until, "since_ms": milliseconds(since), "until_ms": until_ms}


def _add(buckets: Buckets, more: Buckets) -> None:
    for bucket, count in more.items():
        buckets[bucket] = buckets.get(bucket, 0) + count


def _named(key: Key, names: Mapping[int, str]) -> Mapping[By, str]:
    """Returns what people call operations in each way: a tool by its name, others by their method."""
    method, tool, client, release = key
    name = names.get(tool)
    called = method if name is None else name if method == CALL else f"{method} {name}"
    return {"tool": called, "method": method, "client": names.get(client, "unknown"), "release": f"v{release}"}


class _Percentiles(TypedDict):
    p50: float | None
    p95: float | None
    p99: float | None


def _percentiles(durations: Buckets) -> _Percentiles:
    buckets = {int(bucket): count for bucket, count in durations.items()}
    return {
        "p50": _rounded(percentile(buckets, 0.5)),
        "p95": _rounded(percentile(buckets, 0.95)),
        "p99": _rounded(percentile(buckets, 0.99)),
    }


def _by_number(kinds: Counter[str]) -> dict[str, int]:
    return {kind: count for kind, count in kinds.most_common() if count}


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 3)
