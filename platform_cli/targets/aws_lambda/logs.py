"""What a project's instances printed, as CloudWatch has it some seconds later."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from ...records import read_record
from .client import AWS
from .names import log_group

FOLLOW_S = 2.0
# Events come late and out of order: what was looked at is looked at once more.
OVERLAP_MS = 10_000


def read_logs(aws: AWS, project: str, *, follow: bool, since: float = 0.0) -> Iterator[dict[str, Any]]:
    """From `since` on, seconds since 1970, oldest first, each once; with `follow` it has no end."""
    # When those happened that may be met again.
    seen: dict[str, int] = {}
    start = int(since * 1000)
    while True:
        pages = aws.logs.get_paginator("filter_log_events").paginate(logGroupName=log_group(project), startTime=start)
        for event in (event for page in pages for event in page["events"]):
            if event["eventId"] not in seen:
                seen[event["eventId"]] = event["timestamp"]
                yield _record(event)
        if not follow:
            return
        start = max(start, max(seen.values(), default=0) - OVERLAP_MS)
        seen = {name: at for name, at in seen.items() if at >= start}
        time.sleep(FOLLOW_S)


def _record(event: dict[str, Any]) -> dict[str, Any]:
    """A record of the runtime's telemetry as it is; a line of Lambda's own as the message of one."""
    text = str(event["message"]).rstrip("\n")
    said = read_record(text)
    if said is not None:
        return said
    return {"time": event["timestamp"] / 1000, "level": "info", "release": "-", "message": text}
