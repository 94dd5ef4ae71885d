"""Reads the records of errors that a project's instances wrote from CloudWatch, which costs nothing but time."""

from __future__ import annotations

from collections.abc import Iterator

from ...telemetry.error_store import Failed
from ..log_errors import failed_in
from .client import AWS
from .names import log_group

# A word that each record has.
PATTERN = "%frames%"


def read_errors(aws: AWS, project: str, since: float) -> Iterator[Failed]:
    """Yields the errors from `since` on, seconds since 1970."""
    pages = aws.logs.get_paginator("filter_log_events").paginate(
        logGroupName=log_group(project), startTime=int(since * 1000), filterPattern=PATTERN
    )
    for event in (event for page in pages for event in page["events"]):
        if (failed := failed_in(str(event["message"]), project, event["timestamp"] / 1000)) is not None:
            yield failed
