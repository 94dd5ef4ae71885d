"""Packs operations into the rows of the table `calls`, of which there may be a million.

What many of them have in common is a row of `series`, ids are as short as their bytes, and times are integers:
milliseconds since 1970 (`ts`), and hundredths of a millisecond (`ms`), as workers measure. A larger unit is not exact,
and a smaller one takes a byte or two more of each row.
"""

from __future__ import annotations

import re
import sqlite3

from .operation import Operation

# The version of these tables in SQLite's user_version; 0 has its calls in one table, with all of their texts.
VERSION = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS projects (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY, project INTEGER NOT NULL, release INTEGER NOT NULL, method TEXT NOT NULL,
    tool INTEGER NOT NULL, client INTEGER NOT NULL, kind TEXT NOT NULL,
    UNIQUE (project, release, method, tool, client, kind)
) STRICT;
CREATE TABLE IF NOT EXISTS calls (
    project INTEGER NOT NULL, ts INTEGER NOT NULL, series INTEGER NOT NULL, code INTEGER, ms INTEGER NOT NULL,
    cold INTEGER NOT NULL, bytes_in INTEGER NOT NULL, bytes_out INTEGER NOT NULL, request ANY, trace ANY
) STRICT;
CREATE INDEX IF NOT EXISTS calls_of ON calls (project, ts);
"""
INSERT = "INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
INSERT_SERIES = """
INSERT OR IGNORE INTO series (project, release, method, tool, client, kind) VALUES (?, ?, ?, ?, ?, ?)
"""
FIND_SERIES = """
SELECT id FROM series
WHERE project = ? AND release = ? AND method = ? AND tool = ? AND client = ? AND kind = ?
"""
# What `unpacked_call` takes, of rows of `calls` (c) and of what these refer to.
COLUMNS = (
    "c.ts, s.release, s.method, t.text, n.text, s.kind, c.code, c.ms, c.cold, c.bytes_in, c.bytes_out, c.request, "
    "c.trace"
)
TABLES = (
    "calls c JOIN series s ON s.id = c.series LEFT JOIN names t ON t.id = s.tool LEFT JOIN names n ON n.id = s.client"
)
# The digits of the id of a trace.
TRACE = 32
_IS_ID = re.compile("[0-9a-f]+").fullmatch
_MOVE = """
ALTER TABLE calls RENAME TO calls_before;
DROP INDEX IF EXISTS calls_of;
{schema}
INSERT INTO projects (name) SELECT DISTINCT project FROM calls_before;
INSERT INTO series (project, release, method, tool, client, kind)
    SELECT DISTINCT p.id, b.release, b.method, b.tool, b.client, b.kind
    FROM calls_before b JOIN projects p ON p.name = b.project;
INSERT INTO calls (rowid, project, ts, series, code, ms, cold, bytes_in, bytes_out, request, trace)
    SELECT b.rowid, p.id, milliseconds(b.ts), s.id, b.code, hundredths(b.ms), b.cold, b.bytes_in, b.bytes_out,
           packed(b.request), packed(b.trace)
    FROM calls_before b JOIN projects p ON p.name = b.project JOIN series s ON s.project = p.id
    AND s.release = b.release AND s.method = b.method AND s.tool = b.tool AND s.client = b.client AND s.kind = b.kind
    ORDER BY b.rowid;
DROP TABLE calls_before;
"""


def prepare(db: sqlite3.Connection) -> None:
    """Makes the tables, and moves the calls of an earlier version of them, whose numbers stay what they are."""
    if db.execute("PRAGMA user_version").fetchone()[0] >= VERSION:
        return
    for function in (milliseconds, hundredths, packed):
        db.create_function(function.__name__, 1, function, deterministic=True)
    is_there = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'calls'").fetchone()
    script = _MOVE.format(schema=SCHEMA) if is_there else SCHEMA
    try:
        db.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {VERSION}; COMMIT")
    except BaseException:
        if db.in_transaction:
            db.rollback()
        raise


def row(project: int, time: float, series: int, done: Operation) -> tuple[object, ...]:
    """Returns what INSERT takes."""
    what = (project, milliseconds(time), series, done.code, hundredths(done.ms), int(done.cold))
    return (*what, done.bytes_in, done.bytes_out, packed(done.request), packed(_context(done)))


def unpacked_call(
    ts: int, release: int, method: str, name: str | None, client: str | None, kind: str, code: int | None, ms: int,
    cold: int, bytes_in: int, bytes_out: int, request: bytes | str | None, trace: bytes | str | None,
) -> tuple[float, int, Operation]:  # fmt: skip
    """Returns when the operation of a row happened, and in which release."""
    context = _unpacked(trace) or ""
    done = Operation(
        method, name, client or "unknown", kind, ms / 100, bool(cold), code, bytes_in, bytes_out,
        request=_unpacked(request), trace=context[:TRACE] or None, parent=context[TRACE:] or None,
    )  # fmt: skip
    return ts / 1000, release, done


def _context(done: Operation) -> str | None:
    """Returns the id of the caller's trace, and after it that of the span in which it called."""
    return None if done.trace is None else f"{done.trace}{done.parent or ''}"


def milliseconds(time: float) -> float:
    """Returns the whole milliseconds of a time in seconds: those of a time that `unpacked_call` returned are exact.

    What is further away than 2255, or no number, is no time of a call, but may be compared with one.
    """
    microseconds = time * 1e6
    return round(microseconds) // 1000 if abs(microseconds) < 2**53 else microseconds


def hundredths(ms: float) -> int:
    return round(ms * 100)


def packed(text: str | None) -> bytes | str | None:
    """Returns the bytes of an id in hexadecimal digits, and what is no such id as it is."""
    if text is None or len(text) % 2 or not _IS_ID(text):
        return text
    return bytes.fromhex(text)


def _unpacked(value: bytes | str | None) -> str | None:
    return value.hex() if isinstance(value, bytes) else value
