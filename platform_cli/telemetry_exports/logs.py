"""Makes OpenTelemetry's log records of a project's log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..otlp.encoding import Log
from ..records import read_record
from ..supervisor.log_pages import Page

if TYPE_CHECKING:
    from ..api.log_record import LogRecord

# A longer message is cut, as collectors do, or refuse the whole.
MAX_BODY = 16 * 1024


def logs_of(page: Page) -> list[Log]:
    """Returns the records of a page; a line that is none, as a server may write it, is left out."""
    records = (read_record(line) for line in page.lines)
    return [_log(record) for record in records if record is not None]


def _log(record: LogRecord) -> Log:
    call = record.get("call")
    worker, request = record.get("worker"), record.get("request")
    trace = call.get("trace") if call else None
    return Log(
        record["time"],
        record["level"],
        record["message"][:MAX_BODY],
        {
            "homeport.release": record["release"],
            "process.pid": worker if isinstance(worker, int) else None,
            "homeport.request": request if isinstance(request, str) else None,
            "gen_ai.tool.name": call["tool"] if call else None,
            "error.type": call.get("kind") if call else None,
        },
        trace if trace and _is_trace(trace) else None,
    )


def _is_trace(text: str) -> bool:
    # What a server writes itself may be anything, and one bad id has a collector refuse all.
    return len(text) == 32 and all(each in "0123456789abcdef" for each in text)
