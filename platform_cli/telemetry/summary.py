"""Answers what a project did in a period: how many operations, how they ended, and how long they took."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ..api.metrics import By, ClientCount, Metrics, MetricsRow, ReleaseCount
from .call_rows import milliseconds
from .histogram import bucket_of, unpack
from .operation import CALL, OK, REFUSED
from .rollups import DAY_S, HOUR_S, summed_until
from .sums import Key, Row, Step, Sum, add_buckets, by_number

# Up to this period each operation is read, up to that one the sums of each hour, and above it those of each day.
RAW_S, HOURS_S = 2 * HOUR_S, 8 * DAY_S
# About how many steps a period has; one of days has a step more at most, since it begins with a full one.
STEPS, DAYS = 24, 31
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
SELECT method, tool, 0, release, kind, CAST((hour - :since) / :step AS INTEGER), n, cold, bytes_in, bytes_out, histogram
FROM hours WHERE project = :project AND hour >= :since AND hour < :until
"""
# Days that are not summed up yet, and that which ends later than the period, are read from their hours.
_DAYS = """
SELECT method, tool, 0, release, kind, CAST((day - :since) / :step AS INTEGER), n, cold, bytes_in, bytes_out, histogram
FROM days WHERE project = :project AND day >= :since AND day < :days_until
UNION ALL
SELECT method, tool, 0, release, kind, CAST((hour - :since) / :step AS INTEGER), n, cold, bytes_in, bytes_out, histogram
FROM hours WHERE project = :project AND hour >= max(:since, :days_until) AND hour < :until
"""
_CLIENT_HOURS = """
SELECT '', 0, client, 0, kind, CAST((hour - :since) / :step AS INTEGER), n, cold, bytes_in, bytes_out, histogram
FROM client_hours WHERE project = :project AND hour >= :since AND hour < :until
"""
_RAW_CLIENTS = f"""
SELECT n.text, s.kind, c.number FROM (SELECT series, count(*) AS number FROM calls WHERE {_SELECTED} GROUP BY 1) c
JOIN series s ON s.id = c.series LEFT JOIN names n ON n.id = s.client
"""  # noqa: S608
_CLIENTS = """
SELECT n.text, c.kind, c.number FROM (
    SELECT client, kind, sum(n) AS number FROM client_hours
    WHERE project = :project AND hour >= :since AND hour < :until GROUP BY 1, 2
) c LEFT JOIN names n ON n.id = c.client
"""


@dataclass(frozen=True, slots=True)
class _Period:
    """Is a time in steps, of which `rows` are read: operations, or the sums of hours or days."""

    since: float
    until: float
    step_s: float
    rows: str

    @property
    def steps(self) -> int:
        return max(math.ceil((self.until - self.since) / self.step_s), 1)

    def select(self, db: sqlite3.Connection, query: str, project: str) -> sqlite3.Cursor:
        """Returns what a query finds of a project."""
        values = {
            "project": project,
            "since": self.since,
            "until": self.until,
            "step": self.step_s,
            "since_ms": milliseconds(self.since),
            "until_ms": -milliseconds(-self.until),
            "days_until": min(self.until // DAY_S * DAY_S, summed_until(db, project)),
        }
        return db.execute(query, values)


def _period(since: float, until: float, by: By | None = None) -> _Period:
    """Returns the steps of a time; a long one begins with a full hour, and a very long one with a full day."""
    span = max(until - since, 1.0)
    if span <= RAW_S:
        return _Period(since, until, span / STEPS, _RAW)
    if by == "client" or span <= HOURS_S:
        step_s = math.ceil(span / HOUR_S / STEPS) * HOUR_S
        return _Period(since // HOUR_S * HOUR_S, until, step_s, _CLIENT_HOURS if by == "client" else _HOURS)
    return _Period(since // DAY_S * DAY_S, until, math.ceil(span / DAY_S / DAYS) * DAY_S, _DAYS)


@dataclass(frozen=True, slots=True)
class _Read:
    """Holds the operations of a period by what they have in common, and by step."""

    sums: dict[Key, Sum]
    steps: list[Step]


def summarize(path: Path, project: str, since: float, until: float, by: By) -> Metrics:
    """Returns what a project did. It may take a second, and reads alone.

    Raises sqlite3.Error if the file cannot be read.
    """
    return break_down(path, project, since, until, (by,))[by]


def break_down(path: Path, project: str, since: float, until: float, bys: Collection[By]) -> dict[By, Metrics]:
    """Returns what a project did in each of several ways, of which it is read once."""
    periods = {by: _period(since, until, by) for by in bys}
    with closing(_open(path)) as db:
        read = {period: _read(db, project, period) for period in set(periods.values())}
        names = dict(db.execute("SELECT id, text FROM names WHERE project = ?", (project,)))
    return {by: _metrics(project, by, period, read[period], names) for by, period in periods.items()}


def _metrics(project: str, by: By, period: _Period, read: _Read, names: Mapping[int, str]) -> Metrics:
    total, groups = Sum(period.steps), dict[str, Sum]()
    for key, each in read.sums.items():
        total.add(each)
        groups.setdefault(_named(key, names)[by], Sum(period.steps)).add(each)
    rows = (each.row(key) for key, each in groups.items())
    return {
        "project": project,
        "since": period.since,
        "until": period.until,
        "step_s": period.step_s,
        "by": by,
        "total": total.row(None),
        "rows": sorted(rows, key=lambda row: (-row["operations"], row["key"])),
        "steps": [each.data() for each in read.steps],
    }


def totals(path: Path, projects: Iterable[str], since: float, until: float) -> dict[str, MetricsRow]:
    """Returns the sums of several projects, by their names.

    Raises sqlite3.Error if the file cannot be read.
    """
    period, found = _period(since, until), {}
    with closing(_open(path)) as db:
        for project in projects:
            total = Sum(period.steps)
            for row in _rows(db, project, period):
                total.count(row)
            found[project] = total.row(None)
    return found


def by_client(path: Path, project: str, since: float, until: float) -> list[ClientCount]:
    """Returns how much each client has asked for, those that asked most first; clients are known for 7 days.

    Raises sqlite3.Error if the file cannot be read.
    """
    period, kinds = _period(since, until, "client"), dict[str, Counter[str]]()
    with closing(_open(path)) as db:
        counted = period.select(db, _RAW_CLIENTS if period.rows == _RAW else _CLIENTS, project)
        for client, kind, number in counted:
            kinds.setdefault(client or "unknown", Counter())[kind] += number
    found: list[ClientCount] = [
        {
            "client": client,
            "operations": each.total(),
            "failed": each.total() - each[OK],
            "kinds": by_number(each),
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


def _read(db: sqlite3.Connection, project: str, period: _Period) -> _Read:
    """Returns the operations of a period, summed up by what they have in common, and by time."""
    read = _Read({}, [Step() for _ in range(period.steps)])
    for row in _rows(db, project, period):
        if (found := read.sums.get(row.key)) is None:
            found = read.sums[row.key] = Sum(period.steps)
        found.count(row)
        step = read.steps[row.step]
        step.kinds[row.kind] += row.n
        add_buckets(step.buckets, row.buckets)
    return read


def _rows(db: sqlite3.Connection, project: str, period: _Period) -> Iterator[Row]:
    is_raw, last = period.rows == _RAW, period.steps - 1
    for *key, kind, at, n, cold, bytes_in, bytes_out, durations in period.select(db, period.rows, project):
        # The clock may have gone back meanwhile.
        step = min(max(at, 0), last)
        buckets = {} if kind in REFUSED else {durations: n} if is_raw else unpack(durations)
        yield Row(tuple(key), kind, step, n, cold, bytes_in, bytes_out, buckets)


def _named(key: Key, names: Mapping[int, str]) -> Mapping[By, str]:
    """Returns what people call operations in each way: a tool by its name, others by their method."""
    method, tool, client, release = key
    name = names.get(tool)
    called = method if name is None else name if method == CALL else f"{method} {name}"
    return {"tool": called, "method": method, "client": names.get(client, "unknown"), "release": f"v{release}"}
