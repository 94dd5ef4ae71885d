"""Represents a zygote that is the first process of a container (homeport_runtime.hosts.container.zygote)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .container_removal import Removal
from .launch import Launched
from .release import RunnableRelease
from .zygote import FORK_TIMEOUT_S, Zygote, ZygoteEnded
from .zygote_messages import Limits, Signalled


class NoDescriptorsError(Exception):
    """Says that the engine passes no descriptors to its containers, since these have another kernel."""


class ContainerProcess:
    """Is the first process of a container as far as its zygote needs it: the end of both is the container's removal."""

    pid = 0
    returncode: int | None = None

    def __init__(self, removal: Removal, container: str) -> None:
        self._removal = removal
        self.container = container
        self._removing: asyncio.Task[None] | None = None

    def kill(self) -> None:
        if self._removing is None:
            self._removing = asyncio.ensure_future(self._remove())

    async def _remove(self) -> None:
        await self._removal.remove(self.container)
        self.returncode = 0

    async def wait(self) -> None:
        if self._removing is not None:
            await self._removing


class ContainerZygote(Zygote):
    """Is a zygote in the container `place`, whose workers have ids of the container's own PID namespace.

    The same numbers are other processes here, so signals go through the zygote, and the processes that it names cannot
    be looked up.
    """

    def __init__(self, process: ContainerProcess, control: socket.socket, place: str, *, is_known: bool = True) -> None:
        super().__init__(process, control)
        self._is_known = is_known
        self.container = process.container
        # Whether it is kept for the next control plane.
        self.is_kept = False
        self.place = place
        self._signals: set[asyncio.Task[None]] = set()

    @property
    def note(self) -> str:
        """Returns what the next control plane needs to take it over."""
        return self.container

    async def launch(
        self, release: RunnableRelease, sockets: Sequence[socket.socket], _shown: Sequence[Path] = ()
    ) -> Launched:
        launched = await super().launch(release, sockets, ())
        return replace(launched, place=self.place, signal=self.signal)

    async def limits(self) -> Limits:
        """Returns the limits as they are inside.

        Raises NoDescriptorsError if it gets no descriptors.
        """
        reading, writing = os.pipe()
        try:
            limits = await self._order(Limits, {"do": "limits"}, (writing,), FORK_TIMEOUT_S)
            os.set_blocking(reading, False)
            if limits.tried and not _is_written(reading):
                raise NoDescriptorsError
            return limits
        finally:
            os.close(reading)
            os.close(writing)

    def adopt(self, launched: Launched) -> Launched:
        """Returns a worker that the zygote has forked for an earlier control plane, with its end and its signals."""
        ended = self._children[launched.pid] = asyncio.get_running_loop().create_future()
        return replace(launched, ended=ended, place=self.place, signal=self.signal)

    def signal(self, pid: int, number: int) -> None:
        """Sends a signal as kill(2) does, as soon as the zygote has carried out the orders before."""
        if self.alive:
            task = asyncio.ensure_future(self._signal(pid, number))
            self._signals.add(task)
            task.add_done_callback(self._signals.discard)

    async def _signal(self, pid: int, number: int) -> None:
        with contextlib.suppress(ZygoteEnded):
            await self._order(Signalled, {"do": "signal", "pid": pid, "signal": number}, (), FORK_TIMEOUT_S)

    def _may_have(self, _pid: int) -> bool:
        return True

    @property
    def is_idle(self) -> bool:
        return not self._running()

    async def workers_ended(self) -> None:
        """Waits until all processes that it has forked have ended; they end with the container, too."""
        while running := self._running():
            await asyncio.wait(running)

    def _running(self) -> list[asyncio.Future[int | None]]:
        # Nobody reports those that have ended with their container.
        return [ended for ended in self._children.values() if not ended.done()]


def _is_written(descriptor: int) -> bool:
    try:
        return bool(os.read(descriptor, 1))
    except BlockingIOError:
        return False
