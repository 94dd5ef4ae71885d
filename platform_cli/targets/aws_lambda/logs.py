"""Reads what a project's instances printed from CloudWatch, which has it some seconds later."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ...api.log_record import Level, LogRecord
from ...audit.instances import is_line
from ...log_query import LogQuery
from ...records import read_record
from ..log_errors import is_error
from .client import AWS
from .names import log_group

FOLLOW_S = 2.0
# Events come late and out of order, so the last seconds are read again.
OVERLAP_MS = 10_000


# Lines of Lambda's own about a function that failed, which are no records
# (https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-pg.html).
FAILURES = re.compile(r"Task timed out|Runtime exited|Runtime\.[A-Z]|signal: killed|Status: (error|timeout)")
# Words of which each record of a level or above, and each of those lines, contains one. CloudWatch's own regular
# expressions know neither blanks nor brackets (FilterAndPatternSyntax.html in its documentation).
ERROR_WORDS = "error|timed|timeout|Runtime|killed"
LEVEL_WORDS = {"error": ERROR_WORDS, "warning": f"warning|{ERROR_WORDS}"}
# Selects what may be a line of the audit log.
AUDIT_LINES = "%instance%"
LITERAL = re.compile(r"[A-Za-z0-9_-]+")


def read_logs(aws: AWS, project: str, *, follow: bool, query: LogQuery) -> Iterator[LogRecord]:
    """Yields records, oldest first and each once; with `follow` it never ends.

    CloudWatch filters for what `query` wants as far as it can, so there may be others among them.
    """
    # The times of events that may be read again.
    seen: dict[str, int] = {}
    start = int(query.since * 1000)
    group, pattern = log_group(project), filter_pattern(query)
    while True:
        pages = aws.logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=start, filterPattern=pattern
        )
        for event in (event for page in pages for event in page["events"]):
            if event["eventId"] not in seen:
                seen[event["eventId"]] = event["timestamp"]
                text = str(event["message"])
                # Arguments are in the audit log alone, and errors are read in groups.
                if not is_line(text) and not is_error(text):
                    yield _record(event)
        if not follow:
            return
        start = max(start, max(seen.values(), default=0) - OVERLAP_MS)
        seen = {name: at for name, at in seen.items() if at >= start}
        time.sleep(FOLLOW_S)


def read_audit(aws: AWS, project: str, since: float) -> Iterator[bytes]:
    """Yields the lines of the audit log that instances have printed from `since` on, seconds since 1970."""
    pages = aws.logs.get_paginator("filter_log_events").paginate(
        logGroupName=log_group(project), startTime=int(since * 1000), filterPattern=AUDIT_LINES
    )
    for event in (event for page in pages for event in page["events"]):
        text = str(event["message"]).rstrip("\n")
        if is_line(text):
            yield text.encode()


def filter_pattern(query: LogQuery) -> str:
    """Returns CloudWatch's filter with the one condition that selects the fewest records, empty for all records."""
    if LITERAL.fullmatch(query.grep):
        return f"%{query.grep}%"
    if words := LEVEL_WORDS.get(query.level):
        return f"%{words}%"
    return f"%{query.release}%" if query.release and LITERAL.fullmatch(query.release) else ""


def _record(event: Mapping[str, Any]) -> LogRecord:
    """Returns a record of the runtime's telemetry, or a record with a line of Lambda's own as its message."""
    text = str(event["message"]).rstrip("\n")
    said = read_record(text)
    if said is not None:
        return said
    level: Level = "error" if FAILURES.search(text) else "info"
    return {"time": event["timestamp"] / 1000, "level": level, "release": "-", "message": text}
