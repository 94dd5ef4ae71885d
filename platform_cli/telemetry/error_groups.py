"""Reads the groups of errors of a project."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from ..api.error_group import ErrorGroup, ErrorGroupDetail
from .error_store import OPEN_STATES

_COLUMNS = (
    "id, project, kind, type, message, method, name, place, state, state_release, state_ts, n, first_ts, "
    "first_release, last_ts, last_release"
)


def list_groups(path: Path, project: str) -> list[ErrorGroup]:
    """Returns the groups of a project: those that are open first, and of these the newest errors.

    Raises sqlite3.Error if the file cannot be read.
    """
    with closing(_opened(path)) as db:
        rows = db.execute(
            f"SELECT {_COLUMNS} FROM errors WHERE project = ? "  # noqa: S608
            f"ORDER BY state IN {OPEN_STATES} DESC, last_ts DESC",
            (project,),
        )
        return [_group(row) for row in rows]


def list_appeared(path: Path, since: float, until: float) -> list[ErrorGroup]:
    """Returns the groups of all projects that are new, or came back, from `since` until before `until`, and that nobody
    has muted or resolved meanwhile.

    Raises sqlite3.Error if the file cannot be read.
    """
    with closing(_opened(path)) as db:
        rows = db.execute(
            f"SELECT {_COLUMNS} FROM errors WHERE state = 'open' AND first_ts >= ?1 AND first_ts < ?2 "  # noqa: S608
            "OR state = 'regressed' AND state_ts >= ?1 AND state_ts < ?2 ORDER BY state_ts",
            (since, until),
        )
        return [_group(row) for row in rows]


def find_group(path: Path, project: str, group: int) -> ErrorGroupDetail | None:
    """Returns one group of a project, with its samples, None if there is none with this id.

    Raises sqlite3.Error if the file cannot be read.
    """
    with closing(_opened(path)) as db:
        row = db.execute(
            f"SELECT {_COLUMNS} FROM errors WHERE project = ? AND id = ?",  # noqa: S608
            (project, group),
        ).fetchone()
        if row is None:
            return None
        releases = db.execute(
            "SELECT release, n, first_ts, last_ts FROM error_releases WHERE error = ? ORDER BY release DESC", (group,)
        ).fetchall()
        samples = db.execute(
            "SELECT ts, release, request, message, frames FROM error_samples WHERE error = ? ORDER BY ts DESC", (group,)
        ).fetchall()
    return {
        **_group(row),
        "releases": [
            {"release": f"v{release}", "count": count, "first_seen": first, "last_seen": last}
            for release, count, first, last in releases
        ],
        "samples": [
            {"time": time, "release": f"v{release}", "request": request, "message": message,
             "frames": json.loads(frames)}
            for time, release, request, message, frames in samples
        ],
    }  # fmt: skip


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)


def _group(row: tuple[Any, ...]) -> ErrorGroup:
    group, project, kind, name, message, method, asked, place, state, state_release, state_at, *counts = row
    count, first_seen, first_release, last_seen, last_release = counts
    return {
        "id": group,
        "project": project,
        "kind": kind,
        "type": name,
        "message": message,
        "method": method,
        "name": asked,
        "where": place,
        "state": state,
        "state_release": f"v{state_release}" if state_release is not None else None,
        "state_at": state_at,
        "count": count,
        "first_seen": first_seen,
        "first_release": f"v{first_release}",
        "last_seen": last_seen,
        "last_release": f"v{last_release}",
    }
