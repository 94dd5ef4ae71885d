"""Filters log records."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .records import LEVELS

if TYPE_CHECKING:
    from .api.log_record import LogRecord


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Selects log records by time, level, message, release and request.

    `since` is in seconds since 1970. `level` is the lowest level that is selected, `grep` a regular expression that is
    searched for in the message, `release` one release (`v2`), and `request` one request; None selects all of them.
    """

    since: float = 0.0
    level: str = LEVELS[0]
    grep: str = ""
    release: str | None = None
    request: str | None = None

    def wants(self, record: LogRecord) -> bool:
        """Tells whether the query selects `record`, which is as `records.read_record` returns it."""
        return (
            record["time"] >= self.since
            and LEVELS.index(record["level"]) >= LEVELS.index(self.level)
            and self.release in (None, record["release"])
            and self.request in (None, record.get("request"))
            and re.search(self.grep, record["message"]) is not None
        )
