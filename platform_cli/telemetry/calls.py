"""Finds single operations among those of the last week."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ..api.call_entry import CallEntry
from .call_rows import COLUMNS, TABLES, milliseconds, packed, unpacked_call
from .operation import OK, Operation
from .store import CLIENT, TOOL

# What an operation came to if it did not come to OK.
FAILED = "failed"
_FOUND = f"SELECT {COLUMNS} FROM {TABLES} WHERE {{conditions}} ORDER BY c.ts DESC LIMIT ?"  # noqa: S608


@dataclass(frozen=True, slots=True)
class CallQuery:
    """Selects operations from `since` to `until`, seconds since 1970, that took at least `slower_ms` milliseconds.

    `name` is a tool's or prompt's, `release` is `v2`, `kind` may be FAILED; of each None selects all.
    """

    since: float = 0.0
    until: float | None = None
    name: str | None = None
    method: str | None = None
    client: str | None = None
    release: str | None = None
    kind: str | None = None
    request: str | None = None
    slower_ms: float | None = None

    def conditions(self) -> Iterator[tuple[str, object]]:
        """Yields what SQL compares, each with its value."""
        yield "c.ts >= ?", milliseconds(self.since)
        wanted = {
            "c.ts <= ?": None if self.until is None else milliseconds(self.until),
            "t.text = ?": self.name,
            "s.method = ?": self.method,
            "n.text = ?": self.client,
            "s.release = ?": _number(self.release),
            "s.kind <> ?" if self.kind == FAILED else "s.kind = ?": OK if self.kind == FAILED else self.kind,
            "c.request = ?": packed(self.request),
            "c.ms >= ? * 100": self.slower_ms,
        }
        yield from ((condition, value) for condition, value in wanted.items() if value is not None)


def find_calls(path: Path, project: str, query: CallQuery, most: int) -> list[CallEntry]:
    """Returns the newest operations that the query selects, the newest first.

    Raises sqlite3.Error if the file cannot be read.
    """
    of_project = "c.project = (SELECT id FROM projects WHERE name = ?)"
    conditions, values = zip((of_project, project), *query.conditions(), strict=True)
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
