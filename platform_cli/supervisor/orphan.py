"""Follows a process that an earlier control plane has started (Linux, pidfd_open(2))."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal


class Orphan:
    """Offers the part of asyncio.subprocess.Process that works for a process whose parent has ended.

    It identifies the process by a descriptor, since its number may be another's once it has ended. It must be made on
    an event loop.
    """

    returncode = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._descriptor: int | None = None
        self._ended = asyncio.Event()
        try:
            self._descriptor = os.pidfd_open(pid)
        except OSError:
            self._ended.set()
        else:
            asyncio.get_running_loop().add_reader(self._descriptor, self._note_end, self._descriptor)

    def kill(self) -> None:
        if self._descriptor is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    async def wait(self) -> None:
        await self._ended.wait()

    def _note_end(self, descriptor: int) -> None:
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)
        self._descriptor = None
        self._ended.set()
