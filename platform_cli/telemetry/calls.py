"""Finds single operations among those of the last week."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ..api.call_entry import CallEntry
from .operation import OK
from .store import CLIENT, TOOL

# What an operation came to if it did not come to OK.
FAILED = "failed"
_FOUND = """
SELECT c.ts, c.release, c.method, t.text, n.text, c.kind, c.code, c.ms, c.cold, c.bytes_in, c.bytes_out, c.request,
       c.trace
FROM calls c LEFT JOIN names t ON t.id = c.tool LEFT JOIN names n ON n.id = c.client
WHERE {conditions} ORDER BY c.ts DESC LIMIT ?
"""


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
        yield "c.ts >= ?", self.since
        wanted = {
            "c.ts <= ?": self.until,
            "t.text = ?": self.name,
            "c.method = ?": self.method,
            "n.text = ?": self.client,
            "c.release = ?": _number(self.release),
            "c.kind <> ?" if self.kind == FAILED else "c.kind = ?": OK if self.kind == FAILED else self.kind,
            "c.request = ?": self.request,
            "c.ms >= ?": self.slower_ms,
        }
        yield from ((condition, value) for condition, value in wanted.items() if value is not None)


def find_calls(path: Path, project: str, query: CallQuery, most: int) -> list[CallEntry]:
    """Returns the newest operations that the query selects, the newest first.

    Raises sqlite3.Error if the file cannot be read.
    """
    conditions, values = zip(("c.project = ?", project), *query.conditions(), strict=True)
    found = _FOUND.format(conditions=" AND ".join(conditions))
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        return [_entry(*row) for row in db.execute(found, (*values, most))]


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


def _entry(
    time: float, release: int, method: str, name: str | None, client: str | None, kind: str, code: int | None,
    ms: float, cold: int, bytes_in: int, bytes_out: int, request: str | None, trace: str | None,
) -> CallEntry:  # fmt: skip
    return {
        "time": time,
        "release": f"v{release}",
        "method": method,
        "name": name,
        "client": client or "unknown",
        "kind": kind,
        "code": code,
        "ms": round(ms, 3),
        "cold": bool(cold),
        "bytes_in": bytes_in,
        "bytes_out": bytes_out,
        "request": request,
        "trace": trace,
    }
