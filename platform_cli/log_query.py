"""Which log records somebody wants to see."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .records import LEVELS


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Records from `since` on, seconds since 1970, of `level` and above, whose message the regular expression `grep`
    finds something in, and of `release` (`v2`), or of all.
    """

    since: float = 0.0
    level: str = LEVELS[0]
    grep: str = ""
    release: str | None = None

    def wants(self, record: Mapping[str, Any]) -> bool:
        """`record` is as `records.read_record` returns it."""
        return (
            record["time"] >= self.since
            and LEVELS.index(record["level"]) >= LEVELS.index(self.level)
            and self.release in (None, record["release"])
            and re.search(self.grep, record["message"]) is not None
        )
