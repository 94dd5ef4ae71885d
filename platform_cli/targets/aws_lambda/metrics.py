"""Reads the records of operations that a project's instances wrote from CloudWatch.

That costs nothing but time: FilterLogEvents is not billed, as Logs Insights is by what it scans
(https://aws.amazon.com/cloudwatch/pricing/).
"""

from __future__ import annotations

from collections.abc import Iterator

from ...records import read_record
from ...telemetry.operation import called, read_operation
from ...telemetry.store import Happened
from ..log_metrics import happened
from .client import AWS
from .names import log_group

# CloudWatch's own regular expressions know no quotes (FilterAndPatternSyntax.html): what has the words by chance is
# left out here.
PATTERN = "%operation|call%"


def read_operations(aws: AWS, project: str, since: float) -> Iterator[Happened]:
    """Yields the operations from `since` on, seconds since 1970."""
    pages = aws.logs.get_paginator("filter_log_events").paginate(
        logGroupName=log_group(project), startTime=int(since * 1000), filterPattern=PATTERN
    )
    for event in (event for page in pages for event in page["events"]):
        if (found := _operation(project, event["timestamp"] / 1000, str(event["message"]))) is not None:
            yield found


def _operation(project: str, time: float, line: str) -> Happened | None:
    told = read_operation(line)
    if told is not None:
        return happened(project, time, told.release, told.operation)
    record = read_record(line)
    if record is None or "call" not in record or (operation := called(record)) is None:
        return None
    return happened(project, time, record["release"], operation)
