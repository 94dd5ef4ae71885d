"""What was wrong when workers were last started, and how long a crash loop waits before its next start."""

from __future__ import annotations

from dataclasses import dataclass

# The longest wait before a worker is started that has come to a quick end again and again.
LAST_BACKOFF_S = 60.0


@dataclass(slots=True)
class Health:
    """`error` is what is wrong now, or was at the last start; `crashes` counts the starts in a row that came to a quick
    end.
    """

    error: str | None = None
    crashes: int = 0

    def recovered(self) -> None:
        """A worker serves, or has lasted: what has failed before is over."""
        self.error, self.crashes = None, 0

    @property
    def backoff_s(self) -> float:
        """Seconds to wait before the next start: none after one short life, then 1, 2, 4 ... 60."""
        return min(2.0 ** (self.crashes - 2), LAST_BACKOFF_S) if self.crashes > 1 else 0.0
