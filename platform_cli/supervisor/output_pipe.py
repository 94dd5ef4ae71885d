"""Reads a worker's standard output or error as lines, in rounds.

A reader that is woken for each line would cost the worker a context switch for each where processors are few.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time
from collections import deque
from collections.abc import Callable

from .logbook import RECORD
from .pace import PIECE_S, Pace

# The seconds between two rounds, which show a line to followers of a log within 100 ms.
PAUSE_S = 0.04
# The bytes that a server may print between two rounds without waiting (Linux); not more, since all pipes of a user
# share a budget of 64 MB (pipe(7), pipe-user-pages-soft).
PIPE_BYTES = 256 * 1024
ROUND_BYTES = PIPE_BYTES
# A longer line is dropped, since nobody could recognise a secret in pieces of it.
MAX_LINE = 1024 * 1024
LEFT_OUT = b"[a line of %d bytes is left out]\n"
# A worker's output gets a third of the loop's time.
OTHERS = 2.0


class OutputPipe:
    """Calls `take` with each line as it was written; the last one may lack its newline.

    With `amid` an earlier reader has stopped in the middle of a line, whose rest is dropped, since nobody could
    recognise a secret in it.
    """

    def __init__(self, descriptor: int, take: Callable[[bytes], None], *, amid: bool = False) -> None:
        self._descriptor = descriptor
        self._amid = amid
        self._take = take
        self._lines: deque[bytes] = deque()
        # The unfinished line, and how many of its bytes were dropped.
        self._rest = bytearray()
        self._left_out = 0
        self._pace = Pace(OTHERS)
        os.set_blocking(descriptor, False)
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            # The system refuses it when the budget is used up.
            with contextlib.suppress(OSError):
                fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    async def follow(self) -> None:
        """Reads until all writers have closed the pipe, or it is cancelled."""
        while True:
            await self._readable()
            read = self._read()
            while self._lines:
                with self._pace.working():
                    self._take_some()
                await self._pace.rest()
            if read == 0:
                return
            if read is None or read < ROUND_BYTES:
                await asyncio.sleep(PAUSE_S)

    def finish(self) -> None:
        """Reads what there is, and closes the pipe."""
        self.drain()
        os.close(self._descriptor)
        if self._rest or self._left_out:
            self._end_line(b"")
        self._take_all()

    def drain(self) -> None:
        """Reads what there is, and leaves an unfinished line."""
        # This is limited, since a process that the worker left behind may write as fast as this reads.
        for _ in range(PIPE_BYTES // ROUND_BYTES + 1):
            if not self._read():
                break
        self._take_all()

    def _take_some(self) -> None:
        """Takes the lines of one piece of work."""
        end = time.perf_counter() + PIECE_S
        while self._lines and time.perf_counter() < end:
            self._take(self._lines.popleft())

    def _take_all(self) -> None:
        while self._lines:
            self._take(self._lines.popleft())

    def _read(self) -> int | None:
        """Returns the number of bytes read; None if there may be more later, 0 at the end."""
        try:
            data = os.read(self._descriptor, ROUND_BYTES)
        except BlockingIOError:
            return None
        first, *more = data.split(b"\n")
        self._add(first)
        for piece in more:
            self._end_line(b"\n")
            self._add(piece)
        return len(data)

    def _add(self, piece: bytes) -> None:
        self._rest += piece
        if self._left_out or len(self._rest) > MAX_LINE:
            self._left_out += len(self._rest)
            self._rest = bytearray()

    def _end_line(self, end: bytes) -> None:
        # A record can be recognised by its first character.
        if not self._amid or self._rest.startswith(RECORD):
            self._lines.append(LEFT_OUT % self._left_out if self._left_out else bytes(self._rest) + end)
        self._amid = False
        self._rest, self._left_out = bytearray(), 0

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._descriptor, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._descriptor)
