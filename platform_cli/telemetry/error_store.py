"""Stores the errors of projects in groups: how often each happened in which release, and a few samples."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from .error_event import ErrorEvent
from .grouping import VERSION, key_of

# The groups of a project, the samples of a group in one release, and those of a project. What is resolved, or has not
# been seen for the longest time, makes room.
MAX_GROUPS, MAX_SAMPLES, MAX_PROJECT_SAMPLES = 1000, 5, 2000
SCHEMA = """
CREATE TABLE IF NOT EXISTS errors (
    id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, version INTEGER NOT NULL, key TEXT NOT NULL,
    kind TEXT NOT NULL, type TEXT NOT NULL, message TEXT NOT NULL, method TEXT, name TEXT, place TEXT,
    first_ts REAL NOT NULL, first_release INTEGER NOT NULL, last_ts REAL NOT NULL, last_release INTEGER NOT NULL,
    n INTEGER NOT NULL, state TEXT NOT NULL, state_release INTEGER, state_ts REAL NOT NULL,
    UNIQUE (project, version, key)
) STRICT;
CREATE TABLE IF NOT EXISTS error_releases (
    error INTEGER NOT NULL, release INTEGER NOT NULL, n INTEGER NOT NULL, first_ts REAL NOT NULL, last_ts REAL NOT NULL,
    PRIMARY KEY (error, release)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS error_samples (
    id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, error INTEGER NOT NULL, release INTEGER NOT NULL,
    ts REAL NOT NULL, request TEXT, message TEXT NOT NULL, frames TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS samples_of ON error_samples (error, release);
CREATE INDEX IF NOT EXISTS samples_in ON error_samples (project, id);
"""
# The states of a group that wants somebody's attention.
OPEN_STATES = ("open", "regressed")


@dataclass(frozen=True, slots=True)
class Failed:
    """Says that an error happened in a release of a project at `time`, by the platform's own clock."""

    time: float
    project: str
    release: int
    event: ErrorEvent


class ErrorStore:
    """Writes the tables in `db`, inside transactions of its own."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.executescript(SCHEMA)

    def write(self, batch: Iterable[Failed]) -> None:
        """Adds errors to their groups."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            projects = set()
            for each in batch:
                group = self._group(each)
                self._count(group, each)
                self._sample(group, each)
                projects.add(each.project)
            for project in projects:
                self._make_room(project)

    def _group(self, failed: Failed) -> int:
        """Returns the id of an error's group, which is made if there is none, and open again if the error came back
        after the release in which it was resolved.
        """
        event, now, release = failed.event, failed.time, failed.release
        place = f"{event.own[-1]['file']}:{event.own[-1]['line']}" if event.own else None
        known = self._db.execute(
            "SELECT id, state, state_release FROM errors WHERE project = ? AND version = ? AND key = ?",
            (failed.project, VERSION, key := key_of(event)),
        ).fetchone()
        if known is None:
            made = self._db.execute(
                "INSERT INTO errors (project, version, key, kind, type, message, method, name, place, first_ts, "
                "first_release, last_ts, last_release, n, state, state_release, state_ts) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, 'open', NULL, ?)",
                (failed.project, VERSION, key, event.kind, event.type, event.message, event.method, event.name, place,
                 now, release, now, release, now),
            )  # fmt: skip
            return int(made.lastrowid or 0)
        group, state, resolved_in = known
        self._db.execute(
            "UPDATE errors SET n = n + 1, message = ?, method = ?, name = ?, place = ?, last_ts = ?, last_release = ? "
            "WHERE id = ?",
            (event.message, event.method, event.name, place, now, release, group),
        )
        if state == "resolved" and release > resolved_in:
            self._db.execute(
                "UPDATE errors SET state = 'regressed', state_release = ?, state_ts = ? WHERE id = ?",
                (release, now, group),
            )
        return int(group)

    def _count(self, group: int, failed: Failed) -> None:
        self._db.execute(
            "INSERT INTO error_releases VALUES (?, ?, 1, ?, ?) "
            "ON CONFLICT DO UPDATE SET n = n + 1, last_ts = excluded.last_ts",
            (group, failed.release, failed.time, failed.time),
        )

    def _sample(self, group: int, failed: Failed) -> None:
        """Keeps an error as a sample: the first ones, and the newest in the place of the one before."""
        event = failed.event
        said = (failed.time, event.request, event.message, json.dumps(event.frames, separators=(",", ":")))
        there = self._db.execute(
            "SELECT id FROM error_samples WHERE error = ? AND release = ? ORDER BY id", (group, failed.release)
        ).fetchall()
        if len(there) < MAX_SAMPLES:
            self._db.execute(
                "INSERT INTO error_samples (project, error, release, ts, request, message, frames) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (failed.project, group, failed.release, *said),
            )
        else:
            self._db.execute(
                "UPDATE error_samples SET ts = ?, request = ?, message = ?, frames = ? WHERE id = ?",
                (*said, there[-1][0]),
            )

    def _make_room(self, project: str) -> None:
        self._db.execute(
            "DELETE FROM error_samples WHERE project = ? AND id <= (SELECT id FROM error_samples WHERE project = ? "
            "ORDER BY id DESC LIMIT 1 OFFSET ?)",
            (project, project, MAX_PROJECT_SAMPLES),
        )
        surplus = self._db.execute(
            "SELECT id FROM errors WHERE project = ? ORDER BY state <> 'resolved' DESC, last_ts DESC LIMIT -1 OFFSET ?",
            (project, MAX_GROUPS),
        ).fetchall()
        for (group,) in surplus:
            self._remove(group)

    def _remove(self, group: int) -> None:
        self._db.execute("DELETE FROM error_samples WHERE error = ?", (group,))
        self._db.execute("DELETE FROM error_releases WHERE error = ?", (group,))
        self._db.execute("DELETE FROM errors WHERE id = ?", (group,))

    def change(self, project: str, group: int, state: str, release: int | None, now: float) -> bool:
        """Sets the state of a group, and tells whether there is one; `release` is the newest one of the project."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            changed = self._db.execute(
                "UPDATE errors SET state = ?, state_release = ?, state_ts = ? WHERE project = ? AND id = ?",
                (state, release if state == "resolved" else None, now, project, group),
            )
        return changed.rowcount == 1

    def restore(self, project: str, key: str, state: str, release: int | None, at: float) -> None:
        """Sets the state that a group was given at `at`, as if that had been done then: one that was resolved in
        `release`, and has errors of a later one, has regressed.
        """
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            again = self._db.execute(
                "SELECT r.release, r.first_ts FROM error_releases r JOIN errors e ON e.id = r.error "
                "WHERE e.project = ? AND e.version = ? AND e.key = ? AND r.release > ? ORDER BY r.first_ts LIMIT 1",
                (project, VERSION, key, release),
            ).fetchone()
            shown = ("regressed", *again) if again else (state, release, at)
            self._db.execute(
                "UPDATE errors SET state = ?, state_release = ?, state_ts = ? "
                "WHERE project = ? AND version = ? AND key = ?",
                (*shown, project, VERSION, key),
            )

    def count_open(self) -> dict[str, int]:
        """Returns how many groups of each project are open, as far as it has any."""
        return dict(
            self._db.execute(
                f"SELECT project, count(*) FROM errors WHERE state IN {OPEN_STATES} GROUP BY 1"  # noqa: S608
            ).fetchall()
        )

    def projects(self) -> list[str]:
        """Returns the projects that have groups."""
        return [project for (project,) in self._db.execute("SELECT DISTINCT project FROM errors").fetchall()]

    def forget(self, project: str) -> None:
        """Removes all of a project, inside the transaction of the caller."""
        for (group,) in self._db.execute("SELECT id FROM errors WHERE project = ?", (project,)).fetchall():
            self._remove(group)
