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
from ..telemetry.operation import CALL, OK
from ..telemetry.prometheus import error_type
from .cursors import SpanCursor

# Those that may wait for a collector; older ones are lost.
MAX_BEHIND = 100_000
_READ = """
SELECT c.rowid, c.ts, c.project, c.release, c.method, t.text, n.text, c.kind, c.code, c.ms, c.cold, c.bytes_in,
       c.bytes_out, c.request, c.trace
FROM calls c LEFT JOIN names t ON t.id = c.tool LEFT JOIN names n ON n.id = c.client
WHERE c.rowid > ? ORDER BY c.rowid LIMIT ?
"""


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
        newest, time = db.execute("SELECT rowid, ts FROM calls ORDER BY rowid DESC LIMIT 1").fetchone() or (0, 0.0)
        if start is None:
            return SpanBatch({}, SpanCursor(newest, time), 0)
        after = start.number
        if newest < after:
            # The newest operations were removed with their project, and numbers are given again.
            query = "SELECT max(rowid) FROM calls WHERE ts <= ?"
            after = db.execute(query, (start.time,)).fetchone()[0] or 0
        first = max(after, newest - MAX_BEHIND)
        spans: dict[str, list[Span]] = {}
        end = SpanCursor(first, start.time)
        for number, ts, project, *said in db.execute(_READ, (first, most)):
            spans.setdefault(project, []).append(_span(ts, *said))
            end = SpanCursor(number, ts)
        return SpanBatch(spans, end, first - after)


def _span(
    time: float, release: int, method: str, name: str | None, client: str | None, kind: str, code: int | None,
    ms: float, cold: int, bytes_in: int, bytes_out: int, request: str | None, trace: str | None,
) -> Span:  # fmt: skip
    is_call = method == CALL
    return Span(
        # Of a caller's trace only its id is known, so that this is another root of it.
        trace or secrets.token_hex(16),
        secrets.token_hex(8),
        f"{method} {name}" if name else method,
        time - ms / 1000,
        time,
        None if kind == OK else kind,
        {
            "mcp.method.name": method,
            "gen_ai.operation.name": "execute_tool" if is_call else None,
            "gen_ai.tool.name": name if is_call else None,
            "gen_ai.prompt.name": None if is_call else name,
            "network.transport": "tcp",
            "error.type": error_type(kind, code) or None,
            "rpc.response.status_code": None if code is None else str(code),
            "homeport.release": f"v{release}",
            "homeport.client": client,
            "homeport.cold": bool(cold),
            "homeport.bytes_in": bytes_in,
            "homeport.bytes_out": bytes_out,
            "homeport.request": request,
        },
    )
