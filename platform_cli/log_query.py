"""Which log records somebody wants to see."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .records import LEVELS

if TYPE_CHECKING:
    from .api.log_record import LogRecord


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Records from `since` on, seconds since 1970, of `level` and above, whose message the regular expression `grep`
    finds something in, and of `release` (`v2`), or of all.
    """

    since: float = 0.0
    level: str = LEVELS[0]
    grep: str = ""
    release: str | None = None

    def wants(self, record: LogRecord) -> bool:
        return (
            record["time"] >= self.since
            and LEVELS.index(record["level"]) >= LEVELS.index(self.level)
            and self.release in (None, record["release"])
            and re.search(self.grep, record["message"]) is not None
        )
