"""Sums up operations in tables whose rows stand for an hour or a day: of these a long time is read, since a row for
each operation would take a second.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field

from .histogram import bucket_of, pack, unpack
from .operation import REFUSED, Operation

HOUR_S, DAY_S = 3600, 86400
# How long rows are kept: those that say which client called are as many as there are clients.
KEPT_S, CLIENTS_S = 400 * DAY_S, 7 * DAY_S
# The version of these tables in SQLite's user_version, which follows that of call_rows; before it were hours alone,
# with histograms of JSON.
VERSION = 2
_SUMS = """
    n INTEGER NOT NULL, bytes_in INTEGER NOT NULL, bytes_out INTEGER NOT NULL, cold INTEGER NOT NULL,
    histogram BLOB NOT NULL
"""
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS hours (
    project TEXT NOT NULL, hour INTEGER NOT NULL, release INTEGER NOT NULL, method TEXT NOT NULL,
    tool INTEGER NOT NULL, kind TEXT NOT NULL, {_SUMS},
    PRIMARY KEY (project, hour, release, method, tool, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS days (
    project TEXT NOT NULL, day INTEGER NOT NULL, release INTEGER NOT NULL, method TEXT NOT NULL,
    tool INTEGER NOT NULL, kind TEXT NOT NULL, {_SUMS},
    PRIMARY KEY (project, day, release, method, tool, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS client_hours (
    project TEXT NOT NULL, hour INTEGER NOT NULL, client INTEGER NOT NULL, kind TEXT NOT NULL, {_SUMS},
    PRIMARY KEY (project, hour, client, kind)
) STRICT, WITHOUT ROWID;
"""
# What is done before and after SCHEMA to the hours of an earlier version.
_BEFORE = "ALTER TABLE hours RENAME TO hours_before;"
_AFTER = """
INSERT INTO hours SELECT project, hour, release, method, tool, kind, n, bytes_in, bytes_out, cold, _packed(histogram)
    FROM hours_before;
DROP TABLE hours_before
"""
# The operations that are kept.
_BY_CLIENT = """
SELECT p.name, c.ts / 3600000 * 3600, s.client, s.kind, count(*), sum(c.bytes_in), sum(c.bytes_out), sum(c.cold),
       bucket_of(c.ms / 100.0)
FROM calls c JOIN projects p ON p.id = c.project JOIN series s ON s.id = c.series GROUP BY 1, 2, 3, 4, 9
"""
# The project, the time at which a row begins, and what its operations have in common.
Key = tuple[str, int, *tuple[str | int, ...]]


@dataclass(slots=True)
class Sums:
    """Sums up operations."""

    n: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    cold: int = 0
    histogram: dict[int, int] = field(default_factory=dict)

    def count(self, operation: Operation) -> None:
        self.n += 1
        self.bytes_in += operation.bytes_in
        self.bytes_out += operation.bytes_out
        self.cold += operation.cold
        if operation.kind not in REFUSED:
            bucket = bucket_of(operation.ms)
            self.histogram[bucket] = self.histogram.get(bucket, 0) + 1

    def add(self, more: Sums) -> None:
        self.n += more.n
        self.bytes_in += more.bytes_in
        self.bytes_out += more.bytes_out
        self.cold += more.cold
        for bucket, count in more.histogram.items():
            self.histogram[bucket] = self.histogram.get(bucket, 0) + count

    def columns(self) -> tuple[int | bytes, ...]:
        return self.n, self.bytes_in, self.bytes_out, self.cold, pack(self.histogram)


class Rollup:
    """Is a table of sums, whose newest rows are remembered while they are added to."""

    def __init__(self, db: sqlite3.Connection, table: str, *columns: str) -> None:
        self._db = db
        key = " AND ".join(f"{column} = ?" for column in ("project", *columns))
        self._find = f"SELECT n, bytes_in, bytes_out, cold, histogram FROM {table} WHERE {key}"  # noqa: S608
        values = ",".join("?" * (len(columns) + 6))
        self._replace = f"INSERT OR REPLACE INTO {table} VALUES ({values})"  # noqa: S608
        self._known: dict[Key, Sums] = {}
        self._changed: set[Key] = set()

    def add(self, key: Key, more: Sums) -> None:
        """Adds to a row, which `save` writes."""
        known = self._known.get(key)
        if known is None:
            row = self._db.execute(self._find, key).fetchone()
            known = self._known[key] = _sums(*row) if row else Sums()
        known.add(more)
        self._changed.add(key)

    def save(self) -> None:
        self._db.executemany(self._replace, [(*key, *self._known[key].columns()) for key in self._changed])
        newest = max((key[1] for key in self._changed), default=0)
        self._known = {key: sums for key, sums in self._known.items() if key[1] >= newest}
        self._changed.clear()

    def forget(self) -> None:
        """Forgets what is remembered: it may not be in the file."""
        self._known.clear()
        self._changed.clear()


class Rollups:
    """Sums up operations by hour, by hour those of each client, and by day.

    A day has rows once it is over, and is read from its hours until then: rows of days are large. What is added to a
    day later, since the clock has gone back, is added to its rows, too.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._hours = Rollup(db, "hours", "hour", "release", "method", "tool", "kind")
        self._days = Rollup(db, "days", "day", "release", "method", "tool", "kind")
        self._clients = Rollup(db, "client_hours", "hour", "client", "kind")
        # The time at which the days of a project end that have rows.
        self._summed_until: dict[str, int] = {}
        if db.execute("PRAGMA user_version").fetchone()[0] < VERSION:
            self._make()

    def add(
        self, project: str, hour: int, release: int, method: str, tool: int, client: int, kind: str, more: Sums
    ) -> None:
        """Adds operations of one hour, which `save` writes."""
        self._hours.add((project, hour, release, method, tool, kind), more)
        self._clients.add((project, hour, client, kind), more)
        if project not in self._summed_until:
            self._summed_until[project] = summed_until(self._db, project)
        if hour < self._summed_until[project]:
            self._days.add((project, hour // DAY_S * DAY_S, release, method, tool, kind), more)

    def save(self) -> None:
        for each in (self._hours, self._days, self._clients):
            each.save()

    def sum_up_days(self, project: str, now: float) -> None:
        """Sums up the days of a project that are over."""
        since, until = summed_until(self._db, project), int(now) // DAY_S * DAY_S
        query = "SELECT * FROM hours WHERE project = ? AND hour >= ? AND hour < ? ORDER BY hour"
        for _, hour, release, method, tool, kind, *sums in self._db.execute(query, (project, since, until)):
            day = hour // DAY_S * DAY_S
            if day != since:
                self._days.save()
                since = day
            self._days.add((project, day, release, method, tool, kind), _sums(*sums))
        self._days.save()
        # They are added to seldom.
        self._days.forget()
        self._summed_until.clear()

    def forget(self) -> None:
        """Forgets what is remembered of the rows in the file."""
        for each in (self._hours, self._days, self._clients):
            each.forget()
        self._summed_until.clear()

    def remove(self, project: str) -> None:
        """Removes all rows of a project."""
        for table in ("hours", "days", "client_hours"):
            self._db.execute(f"DELETE FROM {table} WHERE project = ?", (project,))  # noqa: S608
        self.forget()

    def clean(self, now: float) -> None:
        """Removes rows of which all is too old."""
        self._db.execute("DELETE FROM hours WHERE hour < ?", (now - KEPT_S,))
        self._db.execute("DELETE FROM days WHERE day < ?", (now - KEPT_S - DAY_S,))
        self._db.execute("DELETE FROM client_hours WHERE hour < ?", (now - CLIENTS_S - HOUR_S,))

    def _make(self) -> None:
        """Makes the tables, and moves what an earlier version has stored."""
        for function in (bucket_of, _packed):
            self._db.create_function(function.__name__, 1, function, deterministic=True)
        has_hours = self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'hours'").fetchone()
        before, after = (_BEFORE, _AFTER) if has_hours else ("", "")
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            for statement in f"{before}{SCHEMA}{after}".split(";"):
                self._db.execute(statement)
            self._sum_up_clients()
            self._db.execute(f"PRAGMA user_version = {VERSION}")

    def _sum_up_clients(self) -> None:
        """Sums up the operations that are kept by hour and client."""
        found = enumerate(self._db.execute(_BY_CLIENT))
        for number, (project, hour, client, kind, n, bytes_in, bytes_out, cold, bucket) in found:
            histogram = {} if kind in REFUSED else {bucket: n}
            self._clients.add((project, hour, client, kind), Sums(n, bytes_in, bytes_out, cold, histogram))
            # A week of sums would take much memory.
            if number % 1000 == 999:
                self._clients.save()
        self._clients.save()


def summed_until(db: sqlite3.Connection, project: str) -> int:
    """Returns the time at which the days of a project end that have rows."""
    newest = db.execute("SELECT max(day) FROM days WHERE project = ?", (project,)).fetchone()[0]
    return 0 if newest is None else int(newest) + DAY_S


def _sums(n: int, bytes_in: int, bytes_out: int, cold: int, histogram: bytes) -> Sums:
    return Sums(n, bytes_in, bytes_out, cold, unpack(histogram))


def _packed(histogram: str) -> bytes:
    """Returns a histogram that an earlier version has stored as JSON."""
    return pack({int(bucket): count for bucket, count in json.loads(histogram).items()})
