"""Stores operations in a SQLite file of its own: each for a week, and histograms of them for 400 days.

A crash loses the last second, which is why the platform's own store does not hold this (https://sqlite.org/wal.html).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from homeport_runtime.guard.operations import OTHER

from ..database import open_database
from .call_rows import FIND_SERIES, INSERT, INSERT_SERIES, milliseconds, prepare, row
from .error_store import ErrorStore
from .operation import Operation
from .rollups import CLIENTS_S, HOUR_S, Rollups, Sums

RAW_S = CLIENTS_S
MAX_RAW = 1_000_000
# The names of one kind that a project may have; others are stored as OTHER, so that callers cannot fill the file.
MAX_NAMES = 500
TOOL, CLIENT = "tool", "client"
SCHEMA = """
CREATE TABLE IF NOT EXISTS names (
    id INTEGER PRIMARY KEY, project TEXT NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL,
    UNIQUE (project, kind, text)
) STRICT;
"""
# What is unique in `series`.
Series = tuple[int, int, str, int, int, str]
# The series that are kept without asking whether they still have calls, and remembered while calls are written.
MAX_SERIES = 10_000


class Happened(NamedTuple):
    """Says that a release of a project answered an operation at `time`, by the platform's own clock."""

    time: float
    project: str
    release: int
    operation: Operation


class TelemetryStore:
    """Writes the file at `path`, always from the thread that has made this; `errors` are the groups in it."""

    def __init__(self, path: Path) -> None:
        self._db = open_database(path)
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(SCHEMA)
        prepare(self._db)
        self.errors = ErrorStore(self._db)
        self._projects: dict[str, int] = {}
        self._series: dict[Series, int] = {}
        self._names: dict[tuple[str, str], dict[str, int]] = {}
        self._rollups = Rollups(self._db)

    def write(self, batch: Iterable[Happened]) -> None:
        """Writes operations, in one transaction."""
        rows: list[tuple[object, ...]] = []
        sums: dict[tuple[str, int, Series], Sums] = defaultdict(Sums)
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                for each in batch:
                    done = each.operation
                    tool = self._name(each.project, TOOL, done.name)
                    client = self._name(each.project, CLIENT, done.client)
                    project = self._project(each.project)
                    series = (project, each.release, done.method, tool, client, done.kind)
                    rows.append(row(project, each.time, self._one_series(series), done))
                    sums[each.project, int(each.time) // HOUR_S * HOUR_S, series].count(done)
                self._db.executemany(INSERT, rows)
                for (name, hour, (_, release, method, tool, client, kind)), more in sums.items():
                    self._rollups.add(name, hour, release, method, tool, client, kind, more)
                self._rollups.save()
        except BaseException:
            # What is remembered may not be in the file.
            self._forget_all()
            raise
        if len(self._series) > MAX_SERIES:
            self._series.clear()

    def _forget_all(self) -> None:
        for known in (self._names, self._projects, self._series):
            known.clear()
        self._rollups.forget()

    def _project(self, name: str) -> int:
        """Returns the id of a project."""
        if name not in self._projects:
            self._db.execute("INSERT OR IGNORE INTO projects (name) VALUES (?)", (name,))
            found = self._db.execute("SELECT id FROM projects WHERE name = ?", (name,))
            self._projects[name] = int(found.fetchone()[0])
        return self._projects[name]

    def _one_series(self, key: Series) -> int:
        """Returns the id of a series."""
        if key not in self._series:
            self._db.execute(INSERT_SERIES, key)
            self._series[key] = int(self._db.execute(FIND_SERIES, key).fetchone()[0])
        return self._series[key]

    def _name(self, project: str, kind: str, text: str | None) -> int:
        """Returns the id of a name, 0 for none."""
        if text is None:
            return 0
        known = self._names.get((project, kind))
        if known is None:
            rows = self._db.execute("SELECT text, id FROM names WHERE project = ? AND kind = ?", (project, kind))
            known = self._names[project, kind] = dict(rows.fetchall())
        if text not in known and len(known) >= MAX_NAMES:
            text = OTHER
        if text not in known:
            inserted = self._db.execute(
                "INSERT INTO names (project, kind, text) VALUES (?, ?, ?)", (project, kind, text)
            )
            known[text] = int(inserted.lastrowid or 0)
        return known[text]

    def clean(self, now: float) -> None:
        """Removes what is too old, or too much, and sums up the days that are over."""
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                for (project,) in self._db.execute("SELECT name FROM projects").fetchall():
                    self._rollups.sum_up_days(project, now)
                self._rollups.clean(now)
                self._remove_calls("ts < ?", milliseconds(now - RAW_S))
                self._db.execute("DELETE FROM calls WHERE rowid <= (SELECT max(rowid) FROM calls) - ?", (MAX_RAW,))
                if self._db.execute("SELECT count(*) FROM series").fetchone()[0] > MAX_SERIES:
                    self._db.execute("DELETE FROM series WHERE id NOT IN (SELECT series FROM calls)")
                    self._series.clear()
        except BaseException:
            self._forget_all()
            raise

    def _remove_calls(self, which: str, value: object) -> None:
        """Removes calls; the newest row of all stays, as one of no project, since SQLite would give its number again,
        and export goes by numbers.
        """
        newest = "(SELECT max(rowid) FROM calls)"
        blank = "project = 0, series = 0, request = NULL, trace = NULL"
        self._db.execute(f"UPDATE calls SET {blank} WHERE rowid = {newest} AND {which}", (value,))  # noqa: S608
        self._db.execute(f"DELETE FROM calls WHERE ({which} OR project = 0) AND rowid < {newest}", (value,))  # noqa: S608

    def keep_only(self, projects: Collection[str]) -> None:
        """Removes all of projects that are not among these."""
        named = {project for (project,) in self._db.execute("SELECT DISTINCT project FROM names").fetchall()}
        for project in named.union(self.errors.projects()):
            if project not in projects:
                self.forget(project)

    def forget(self, project: str) -> None:
        """Removes all of a project."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            which = "project = (SELECT id FROM projects WHERE name = ?)"
            self._remove_calls(which, project)
            self._db.execute(f"DELETE FROM series WHERE {which}", (project,))  # noqa: S608
            self._db.execute("DELETE FROM projects WHERE name = ?", (project,))
            self._db.execute("DELETE FROM names WHERE project = ?", (project,))
            self._rollups.remove(project)
            self.errors.forget(project)
        self._forget_all()

    def close(self) -> None:
        self._db.close()
