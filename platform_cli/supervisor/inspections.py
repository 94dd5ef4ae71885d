"""Inspects releases for a platform, where whoever asked goes on while the inspected process ends.

That takes the kernel as long as a tenth of a redeploy. Before anything else of the release starts, the process has to
have ended, since it may hold a port or a lock.
"""

from __future__ import annotations

import asyncio

from ..api.inspection import Inspected
from .inspection import inspect_release
from .launch import Launcher
from .release import RunnableRelease

# The seconds for which an end is waited for: the kernel may keep a process, and other projects go on.
END_S = 5.0


class Inspections:
    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._ending: set[asyncio.Task[Inspected]] = set()

    async def inspect(self, release: RunnableRelease) -> Inspected:
        """Returns what the server tells of itself, when its process has been killed, but may not have ended.

        Raises InspectError with the server's own reason, when it has ended.
        """
        told: asyncio.Future[Inspected] = asyncio.get_running_loop().create_future()
        inspecting = asyncio.create_task(inspect_release(self._launcher, release, tell=told.set_result))
        try:
            await asyncio.wait({told, inspecting}, return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            inspecting.cancel()
            await asyncio.wait({inspecting})
            raise
        if not told.done():
            return inspecting.result()
        self._ending.add(inspecting)
        inspecting.add_done_callback(self._ending.discard)
        return told.result()

    async def ended(self) -> None:
        """Waits until the processes have ended of which `inspect` has returned what they told."""
        if self._ending:
            await asyncio.wait({*self._ending}, timeout=END_S)
