"""Reads the errors of a project's instances from CloudWatch, which costs nothing but time.

Instances write a record of each. Of one that has ended in a call Lambda itself says so, in a line that names neither
the tool nor the release (https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...telemetry.error_event import ErrorEvent
from ...telemetry.error_store import Failed
from ..log_errors import failed_in
from .client import AWS
from .names import log_group
from .versions import Version

# Words of which each record, and each of Lambda's lines, has one (logs.LEVEL_WORDS).
PATTERN = "%frames|exited|timed%"
# Lambda's lines, by how it calls what they say.
ENDS = {
    "Runtime.ExitError": re.compile(r"RequestId: [0-9a-f-]{36} Error: (Runtime exited [a-z0-9: ]{1,60})"),
    "Sandbox.Timedout": re.compile(r"\S{1,40} [0-9a-f-]{36} (Task timed out after [0-9.]{1,8} seconds)"),
}
# The version of a function that wrote a stream: `2026/11/25/[3]HASH`.
STREAM = re.compile(r"[0-9/]{10,11}\[(\d{1,9})\]")


def read_errors(aws: AWS, project: str, since: float, versions: tuple[Version, ...]) -> Iterator[Failed]:
    """Yields the errors from `since` on, seconds since 1970; `versions` are those of the project's function."""
    releases = {version.number: version.release for version in versions}
    pages = aws.logs.get_paginator("filter_log_events").paginate(
        logGroupName=log_group(project), startTime=int(since * 1000), filterPattern=PATTERN
    )
    for event in (event for page in pages for event in page["events"]):
        time, line = event["timestamp"] / 1000, str(event["message"])
        if (failed := failed_in(line, project, time)) is not None:
            yield failed
        elif (ended := _ended(line)) is not None:
            stream = STREAM.match(str(event["logStreamName"]))
            yield Failed(time, project, releases.get(stream[1], 0) if stream else 0, ended)


def _ended(line: str) -> ErrorEvent | None:
    """Returns the error that Lambda's word of an instance's end is, None for other lines."""
    for kind, pattern in ENDS.items():
        if said := pattern.match(line):
            return ErrorEvent("crash", kind, said[1].rstrip(), None, None, None)
    return None
