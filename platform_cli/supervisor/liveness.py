"""Detects whether a worker's event loop still turns, by the load that the worker reports every second or two.

Silence is not death. Some SDKs run a synchronous tool on the event loop itself (mcp 1, fastmcp 2), so a slow call and a
deadlock look the same from here. So a silent worker loses its place and not its life: another one takes new requests,
and the silent one may finish the call that keeps it, for longer than any client waits.
"""

from __future__ import annotations

import asyncio

# The interval, in seconds, in which workers are checked.
LOOK_S = 1.0
# The seconds of silence after which another worker is started, where a project may have more: no busy loop is so slow.
NOTICED_S = 4.0
# The seconds in which a worker that was only stopped reports again, once it has been told to continue.
CONTINUE_S = 3.0
# The multiple of `unresponsive_s` that a call may block its worker before that is killed.
PATIENCE = 10


class Pulse:
    """Counts silence in checks of its own, so that workers do not seem silent after the platform itself stood still."""

    def __init__(self) -> None:
        self._beats = 0
        # Silent for NOTICED_S, and for the `unresponsive_s` of its release.
        self.is_silent = False
        self.is_unresponsive = False

    def beat(self) -> None:
        self._beats += 1
        self.is_silent = self.is_unresponsive = False

    async def silence(self, seconds: float) -> None:
        """Waits until there was no beat for so many seconds."""
        while await self.beats_within(seconds):
            pass

    async def beats_within(self, seconds: float) -> bool:
        before = self._beats
        for _ in range(max(1, round(seconds / LOOK_S))):
            await asyncio.sleep(LOOK_S)
            if self._beats != before:
                return True
        return False
