"""Prints where a worker's threads are when it does not answer."""

from __future__ import annotations

import faulthandler
import signal

# BSD's signal for "what are you doing?", else one that programs have no other use for.
WHERE: int = getattr(signal, "SIGINFO", 0) or signal.SIGRTMAX - 1


def tell_where_when_asked() -> None:
    """Lets WHERE print the frames of all threads to standard error, even while one of them holds the GIL."""
    faulthandler.register(WHERE, file=2, all_threads=True)
