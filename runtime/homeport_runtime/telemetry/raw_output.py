"""Scrubs what is written directly to the descriptors 1 and 2, by programs of the server or by libraries in C.

It is used where the platform does not read the output itself.
"""

from __future__ import annotations

import os
import selectors
import threading

from .scrub import Scrubber

ROUND_BYTES = 64 * 1024
# A longer line without an end is dropped, since nobody could recognise a secret in pieces of it.
MAX_LINE = 64 * 1024


class RawOutput:
    """Replaces both descriptors by pipes, which a thread reads; `records` is the original standard output."""

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self.records = self._divert(1)
        self._divert(2)
        threading.Thread(target=self._follow, name="output", daemon=True).start()

    def _divert(self, descriptor: int) -> int:
        original = os.dup(descriptor)
        reading, writing = os.pipe()
        os.dup2(writing, descriptor)
        os.close(writing)
        os.set_blocking(reading, False)
        self._selector.register(reading, selectors.EVENT_READ, _Pipe(reading, original))
        return original

    def _follow(self) -> None:
        while True:
            self._selector.select()
            self.drain(whole=False)

    def drain(self, *, whole: bool) -> None:
        """Passes on what has been written so far, with `whole` including an unfinished line."""
        with self._lock:
            for key, _events in self._selector.select(0):
                if not key.data.read(self._scrubber):
                    self._selector.unregister(key.fileobj)
            if whole:
                for key in list(self._selector.get_map().values()):
                    key.data.finish(self._scrubber)


class _Pipe:
    def __init__(self, reading: int, original: int) -> None:
        self._reading = reading
        self._original = original
        self._rest = b""

    def read(self, scrubber: Scrubber) -> bool:
        """Reads what there is, and returns False when all writers have closed the pipe."""
        while True:
            try:
                data = os.read(self._reading, ROUND_BYTES)
            except BlockingIOError:
                return True
            if not data:
                return False
            lines, end, self._rest = (self._rest + data).rpartition(b"\n")
            if end:
                self._write(scrubber.data(lines + end))
            if len(self._rest) > MAX_LINE:
                self._rest = b""

    def finish(self, scrubber: Scrubber) -> None:
        rest, self._rest = self._rest, b""
        if rest:
            self._write(scrubber.data(rest + b"\n"))

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._original, view) :]
