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
        """Forgets what has failed before: a new release serves."""
        self.error, self.crashes = None, 0

    def lasted(self, past: str | None) -> None:
        """Forgets the failures before a worker started that has lasted since.

        `past` is the error at its start; a later error stays.
        """
        self.crashes = 0
        if self.error == past:
            self.error = None

    @property
    def backoff_s(self) -> float:
        """Returns the seconds to wait before the next start: none after one crash, then 1, 2, 4 ... 60."""
        return min(2.0 ** (self.crashes - 2), LAST_BACKOFF_S) if self.crashes > 1 else 0.0
