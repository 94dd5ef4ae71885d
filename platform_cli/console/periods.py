"""Says of which period a page tells."""

from __future__ import annotations

from dataclasses import dataclass

PERIODS = {"1h": 3600.0, "24h": 86400.0, "7d": 7 * 86400.0, "30d": 30 * 86400.0}
USUAL = "24h"


@dataclass(frozen=True, slots=True)
class Period:
    """Is the time from `since` to `until`, in seconds since 1970, and is called `name`."""

    name: str
    since: float
    until: float

    @property
    def span(self) -> float:
        return self.until - self.since

    @property
    def before(self) -> Period:
        """Returns the period of the same length before this one."""
        return Period(self.name, self.since - self.span, self.since)


def read_period(name: str | None, now: float) -> Period:
    """Returns the period that a browser asks for, the usual one if it asks for none that there is."""
    known = name if name in PERIODS else USUAL
    return Period(known, now - PERIODS[known], now)
