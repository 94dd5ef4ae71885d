"""Where a worker's threads are, for whoever asks while it answers nothing."""

from __future__ import annotations

import faulthandler
import signal

# BSD's "what are you doing?", else one that programs have no other use for.
WHERE: int = getattr(signal, "SIGINFO", 0) or signal.SIGRTMAX - 1


def tell_where_when_asked() -> None:
    """On WHERE the frames of all threads are written to standard error, also while one of them holds the GIL."""
    faulthandler.register(WHERE, file=2, all_threads=True)
