"""A worker's standard output or error as lines, read in rounds: a reader that is woken for each line costs the worker a
switch of processes a line wherever processors are few.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Callable

# Seconds between two rounds; who follows a log sees a line within 100 ms.
PAUSE_S = 0.04
# What a server may print between two rounds without waiting for us (Linux): not more, since all pipes of a user share a
# budget of 64 MB (pipe(7), pipe-user-pages-soft).
PIPE_BYTES = 256 * 1024
ROUND_BYTES = PIPE_BYTES
# A longer line is dropped.
MAX_LINE = 16 * 1024 * 1024


class OutputPipe:
    """`take` gets each line as it was written; the last one may lack its newline."""

    def __init__(self, descriptor: int, take: Callable[[bytes], None]) -> None:
        self._descriptor = descriptor
        self._take = take
        self._rest = b""
        os.set_blocking(descriptor, False)
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            # Refused where that is used up.
            with contextlib.suppress(OSError):
                fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    async def follow(self) -> None:
        """Reads until nobody can write any more, or it is cancelled."""
        while True:
            await self._readable()
            data = self._read()
            if data == b"":
                return
            if data is None or len(data) < ROUND_BYTES:
                await asyncio.sleep(PAUSE_S)

    def finish(self) -> None:
        """Reads what is there, and closes the pipe."""
        while self._read():
            pass
        if self._rest:
            self._take(self._rest)
        os.close(self._descriptor)

    def _read(self) -> bytes | None:
        try:
            data = os.read(self._descriptor, ROUND_BYTES)
        except BlockingIOError:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line + b"\n")
        if len(self._rest) > MAX_LINE:
            self._rest = b""
        return data

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._descriptor, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._descriptor)
