"""Finds single operations among those of the last week."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ..api.call_entry import CallEntry
from ..api.call_query import FAILED, CallQuery
from .call_rows import COLUMNS, TABLES, milliseconds, packed, unpacked_call
from .operation import OK, Operation
from .store import CLIENT, TOOL

_FOUND = f"SELECT {COLUMNS} FROM {TABLES} WHERE {{conditions}} ORDER BY c.ts DESC LIMIT ?"  # noqa: S608


def find_calls(path: Path, project: str, query: CallQuery, most: int) -> list[CallEntry]:
    """Returns the newest operations that the query selects, the newest first.

    Raises sqlite3.Error if the file cannot be read.
    """
    of_project = "c.project = (SELECT id FROM projects WHERE name = ?)"
    conditions, values = zip((of_project, project), *_conditions(query), strict=True)
    found = _FOUND.format(conditions=" AND ".join(conditions))
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        return [_entry(*unpacked_call(*row)) for row in db.execute(found, (*values, most))]


def known_names(path: Path, project: str, most: int) -> tuple[list[str], list[str]]:
    """Returns the names of a project's tools and prompts, and those of its clients, at most so many of each.

    Raises sqlite3.Error if the file cannot be read.
    """
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        tools, clients = (
            [str(row[0]) for row in db.execute(
                "SELECT text FROM names WHERE project = ? AND kind = ? ORDER BY text LIMIT ?", (project, kind, most)
            )]
            for kind in (TOOL, CLIENT)
        )  # fmt: skip
    return tools, clients


def _conditions(query: CallQuery) -> Iterator[tuple[str, object]]:
    """Yields what SQL compares, each with its value."""
    yield "c.ts >= ?", milliseconds(query.since)
    wanted = {
        "c.ts <= ?": None if query.until is None else milliseconds(query.until),
        "t.text = ?": query.tool,
        "s.method = ?": query.method,
        "n.text = ?": query.client,
        "s.release = ?": _number(query.release),
        "s.kind <> ?" if query.kind == FAILED else "s.kind = ?": OK if query.kind == FAILED else query.kind,
        "c.request = ?": packed(query.request),
        "c.ms >= ? * 100": query.slower_ms,
    }
    yield from ((condition, value) for condition, value in wanted.items() if value is not None)


def _number(release: str | None) -> int | None:
    """Returns the number of a release, 0 for what is the name of none."""
    if release is None:
        return None
    digits = release.removeprefix("v")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else 0


def _entry(time: float, release: int, done: Operation) -> CallEntry:
    return {
        "time": time,
        "release": f"v{release}",
        "method": done.method,
        "name": done.name,
        "client": done.client,
        "kind": done.kind,
        "code": done.code,
        "ms": done.ms,
        "cold": done.cold,
        "bytes_in": done.bytes_in,
        "bytes_out": done.bytes_out,
        "request": done.request,
        "trace": done.trace,
    }
