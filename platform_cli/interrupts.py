"""Delays Ctrl-C at moments when it would leave something half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupt_later() -> Iterator[None]:
    """Delays Ctrl-C until the block has ended, so that a process that was started in it is known and can be ended.

    A process started in the block can be interrupted itself.
    """
    if threading.current_thread() is not threading.main_thread():
        # Python raises KeyboardInterrupt in the main thread only.
        yield
        return
    came = False

    def note(*_: object) -> None:
        nonlocal came
        came = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came and callable(before):
        before(signal.SIGINT, None)
