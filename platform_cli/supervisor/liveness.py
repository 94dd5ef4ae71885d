"""Whether a worker's event loop still turns: while it does, the worker says at least every second or two how many
requests it has.

Silence is not death. Some SDKs run a synchronous tool on the event loop itself (mcp 1, fastmcp 2), so that a slow call
and a deadlock look the same from here, and nobody can tell them apart. So silence costs a worker its place and not its
life: another one takes over what is new, and the silent one may finish the call that keeps it, for longer than any
client waits.
"""

from __future__ import annotations

import asyncio

# How often it is looked whether a worker has been heard.
LOOK_S = 1.0
# Seconds of silence that other workers are there for, where a project may have more: no busy loop is so slow.
NOTICED_S = 4.0
# Seconds in which a worker that was only stopped is heard again, once it has been told to continue.
CONTINUE_S = 3.0
# How many times `unresponsive_s` a call may take that keeps its worker from everything else, before it is ended.
PATIENCE = 10


class Pulse:
    """Seconds are counted in looks of our own: where the platform stood still itself, its workers were not silent."""

    def __init__(self) -> None:
        self._beats = 0
        # Not heard for NOTICED_S, and for the `unresponsive_s` of its release.
        self.is_silent = False
        self.is_unresponsive = False

    def beat(self) -> None:
        self._beats += 1
        self.is_silent = self.is_unresponsive = False

    async def silence(self, seconds: float) -> None:
        """Returns when there was no beat for so long."""
        while await self.beats_within(seconds):
            pass

    async def beats_within(self, seconds: float) -> bool:
        before = self._beats
        for _ in range(max(1, round(seconds / LOOK_S))):
            await asyncio.sleep(LOOK_S)
            if self._beats != before:
                return True
        return False
