"""Makes spans of operations, by OpenTelemetry's names for MCP (open-telemetry/semantic-conventions-genai,
docs/gen-ai/mcp.md, status: development).
"""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ..otlp.encoding import Span
from ..telemetry.call_rows import COLUMNS, TABLES, milliseconds, unpacked_call
from ..telemetry.operation import CALL, OK, Operation
from ..telemetry.prometheus import error_type
from .cursors import SpanCursor

# Those that may wait for a collector; older ones are lost.
MAX_BEHIND = 100_000
_READ = f"""
SELECT c.rowid, p.name, {COLUMNS} FROM {TABLES} JOIN projects p ON p.id = c.project
WHERE c.rowid > ? ORDER BY c.rowid LIMIT ?
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class SpanBatch:
    """Holds the spans of each project, where the next batch begins, and how many are `lost` before this one."""

    spans: dict[str, list[Span]]
    end: SpanCursor
    lost: int

    @property
    def size(self) -> int:
        return sum(map(len, self.spans.values()))


def read_spans(path: Path, start: SpanCursor | None, most: int) -> SpanBatch:
    """Returns the oldest operations after `start`; without one none, but where the next ones will begin.

    Raises sqlite3.Error if the file cannot be read.
    """
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        last = db.execute("SELECT rowid, ts FROM calls ORDER BY rowid DESC LIMIT 1").fetchone()
        newest, time = (last[0], last[1] / 1000) if last else (0, 0.0)
        if start is None:
            return SpanBatch({}, SpanCursor(newest, time), 0)
        after = start.number
        if newest < after:
            # It is another file, whose numbers began anew.
            query = "SELECT max(rowid) FROM calls WHERE ts <= ?"
            after = db.execute(query, (milliseconds(start.time),)).fetchone()[0] or 0
        first = max(after, newest - MAX_BEHIND)
        spans: dict[str, list[Span]] = {}
        end = SpanCursor(first, start.time)
        for number, project, *said in db.execute(_READ, (first, most)):
            at, release, done = unpacked_call(*said)
            spans.setdefault(project, []).append(_span(at, release, done))
            end = SpanCursor(number, at)
        return SpanBatch(spans, end, first - after)


def _span(time: float, release: int, done: Operation) -> Span:
    is_call = done.method == CALL
    return Span(
        done.trace or secrets.token_hex(16),
        secrets.token_hex(8),
        f"{done.method} {done.name}" if done.name else done.method,
        time - done.ms / 1000,
        time,
        None if done.kind == OK else done.kind,
        {
            "mcp.method.name": done.method,
            "gen_ai.operation.name": "execute_tool" if is_call else None,
            "gen_ai.tool.name": done.name if is_call else None,
            "gen_ai.prompt.name": None if is_call else done.name,
            "network.transport": "tcp",
            "error.type": error_type(done.kind, done.code) or None,
            "rpc.response.status_code": None if done.code is None else str(done.code),
            "homeport.release": f"v{release}",
            "homeport.client": done.client,
            "homeport.cold": done.cold,
            "homeport.bytes_in": done.bytes_in,
            "homeport.bytes_out": done.bytes_out,
            "homeport.request": done.request,
        },
        parent=done.parent,
    )
