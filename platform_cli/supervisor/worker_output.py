"""Follows what a worker's process prints, line by line, and removes the values of its secrets."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial

from homeport_runtime.telemetry.scrub import Scrubber

from .launch import Launched
from .logbook import text_of
from .output_pipe import OutputPipe

# The lines of a server's output that are shown when it does not start.
SHOWN_LINES = 15

LineSink = Callable[[bytes, str, int], None]


class WorkerOutput:
    """Calls `sink` with each line, its level and the process id.

    It keeps the last lines of a worker that `is_starting`, which often say why it does not start.
    """

    def __init__(self, launched: Launched, scrubber: Scrubber, sink: LineSink, *, is_starting: bool) -> None:
        self.is_starting = is_starting
        self._pid = launched.pid
        self._scrubber = scrubber
        self._sink = sink
        self._said: deque[str] = deque(maxlen=SHOWN_LINES)
        # An earlier control plane may have stopped in the middle of a line.
        self._pipes = [
            OutputPipe(launched.stdout, partial(self.hear, level="info"), amid=not is_starting),
            OutputPipe(launched.stderr, partial(self.hear, level="error"), amid=not is_starting),
        ]
        self._following = [asyncio.create_task(pipe.follow()) for pipe in self._pipes]

    def hear(self, line: bytes, level: str) -> None:
        line = self._scrubber.line(line)
        if self.is_starting:
            self._said.append(text_of(line))
        self._sink(line, level, self._pid)

    def with_last_words(self, reason: str) -> str:
        """Returns `reason`, followed by the last lines of a worker that did not start."""
        words = [line for line in self._said if line.strip() and line.strip() not in reason]
        return "\n".join([reason, "it printed:", *(f"  {line}" for line in words)] if words else [reason])

    async def finish(self) -> None:
        """Reads the last output of a process that has ended."""
        await self._stop()
        for pipe in self._pipes:
            pipe.finish()

    async def leave(self) -> None:
        """Reads the output so far of a process that continues without this one."""
        await self._stop()
        for pipe in self._pipes:
            pipe.drain()

    async def _stop(self) -> None:
        for task in self._following:
            task.cancel()
        await asyncio.wait(self._following)
