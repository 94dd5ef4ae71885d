"""Records what was wrong when workers were last started, and computes the back-off of a crash loop."""

from __future__ import annotations

from dataclasses import dataclass

# The longest back-off, in seconds.
LAST_BACKOFF_S = 60.0


@dataclass(slots=True)
class Health:
    """Is the health of one project.

    `error` is what is wrong now, or was at the last start; `crashes` counts consecutive starts of workers that soon
    ended.
    """

    error: str | None = None
    crashes: int = 0

    def recovered(self) -> None:
        """Resets the failures, because a worker serves or has lasted."""
        self.error, self.crashes = None, 0

    @property
    def backoff_s(self) -> float:
        """Returns the seconds to wait before the next start: none after one crash, then 1, 2, 4 ... 60."""
        return min(2.0 ** (self.crashes - 2), LAST_BACKOFF_S) if self.crashes > 1 else 0.0
