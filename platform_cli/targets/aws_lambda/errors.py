"""Reads the records of errors that a project's instances wrote from CloudWatch, which costs nothing but time."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ...telemetry.error_event import read_error
from ...telemetry.error_store import Failed
from .client import AWS
from .names import log_group

# How homeport_runtime.telemetry.error_records begins a record, and a word that each has.
RECORD = '{"error":{'
PATTERN = "%frames%"


def read_errors(aws: AWS, project: str, since: float) -> Iterator[Failed]:
    """Yields the errors from `since` on, seconds since 1970."""
    pages = aws.logs.get_paginator("filter_log_events").paginate(
        logGroupName=log_group(project), startTime=int(since * 1000), filterPattern=PATTERN
    )
    for event in (event for page in pages for event in page["events"]):
        line = str(event["message"])
        if line.startswith(RECORD) and (error := read_error(line.encode("utf-8", "replace"))) is not None:
            yield Failed(event["timestamp"] / 1000, project, _release(json.loads(line).get("release")), error)


def _release(said: object) -> int:
    """Returns the number of a release, 0 for what is none."""
    number = str(said).removeprefix("v")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0
