"""One project on the embedded platform: its socket, its release, its workers, and every change between them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from ..errors import HomeportError, PlatformError, ReleaseError
from .crew import Crew
from .descriptor_store import DescriptorStore
from .entrance import Entrance
from .exclusive import is_exclusive
from .health import Health
from .kept import KeptProject, Known
from .launch import Launcher
from .logbook import LogBook
from .parking import Parking
from .release import RunnableRelease
from .scaling import Scaling
from .tasks import Tasks
from .workdir import WorkDir
from .worker import DRAIN_LIMIT_S, Worker

# Seconds between looks whether a port that another program has taken is free again.
REOPEN_S = 0.5


class Service:
    """Without a worker the supervisor watches the socket: a connection waits in the kernel while a worker starts."""

    def __init__(
        self,
        folder: Path,
        project: str,
        port: int,
        state_key: str,
        launcher: Launcher,
        parking: Parking,
        store: DescriptorStore,
    ) -> None:
        self.project = project
        self.port = port
        self.log = LogBook(folder / "logs", project)
        # Whether the last activation worked only when the old release had stopped, though nobody had said so.
        self.had_to_stop_first = False
        self._workdir = WorkDir(folder)
        self._health = Health()
        self._tasks = Tasks()
        kept = KeptProject(store, project)
        self._entrance = Entrance(project, port, parking, kept)
        self._crew = Crew(
            folder, self._workdir.path, state_key, launcher, self._entrance, kept, self.log, self._health, self._tasks
        )
        self._scaling = Scaling(self._crew, self._entrance, parking, self.log, self._health, self._tasks)

    @property
    def release(self) -> RunnableRelease | None:
        """What serves, or would serve when somebody connects; None before the first deploy has worked."""
        return self._scaling.release

    @release.setter
    def release(self, release: RunnableRelease) -> None:
        self._scaling.release = release

    @property
    def state(self) -> str:
        """`running`, `unresponsive` (what runs gives no sign of life), `idle` (the next connection starts a worker),
        `failing`, or `down` (no socket).
        """
        if not self._entrance.is_open:
            return "down"
        if serving := self._crew.serving:
            hang = all(worker.pulse.is_unresponsive for worker in serving)
            return "unresponsive" if hang else "running"
        return "failing" if self._health.backoff_s else "idle"

    @property
    def last_error(self) -> str | None:
        """What is wrong now, or was when a worker was last started."""
        for worker in self._crew.running:
            if worker.pulse.is_unresponsive:
                return (
                    f"a worker gives no sign of life for {worker.release.unresponsive_s:g} s: its log says where it is"
                )
        return self._health.error

    @property
    def workers(self) -> int:
        """How many run now, those included that finish their last requests."""
        return len(self._crew.running)

    @property
    def processes(self) -> list[int]:
        return self._crew.processes

    @property
    def is_retiring(self) -> bool:
        """Whether a worker that was told to go still runs, and with it what it has started."""
        return bool(self._crew.retiring)

    async def retired(self) -> None:
        """Returns when each worker that was told to go has ended."""
        await self._crew.retired()

    def open(self, listener: socket.socket | None = None) -> None:
        """Takes the listening socket, or opens it on the project's port; raises PlatformError if it is taken."""
        self._entrance.open(listener)

    async def resume(self, release: RunnableRelease, known: Known = lambda _number: None) -> None:
        """After a restart of the platform: workers that the last control plane has left go on, and `known` tells which
        release they serve. Else `release` serves as soon as somebody connects, or at once where it asks for workers
        that always run.

        While the port is taken, be it by a worker that a killed platform left behind, the service is down.
        """
        self._scaling.release, self._health.error = release, None
        adopted = await self._crew.adopt(release, known)
        self._entrance.take_parked()
        if self._crew.serving:
            self._entrance.release()
        if release.stop_first and self._crew.retiring:
            self._tasks.spawn(self._hold_until_retired())
        if not all(each.is_current or each.leaves for each in adopted):
            self._tasks.spawn(self._renew(release))
        try:
            self.open()
        except PlatformError as error:
            self._health.error = error.message
            self._tasks.spawn(self._reopen())
        self._scaling.refill()

    async def _hold_until_retired(self) -> None:
        """No worker starts before those that were told to go have gone."""
        async with self._scaling.lock:
            await self.retired()

    async def _renew(self, release: RunnableRelease) -> None:
        """What serves was started as something else: a kill came between two steps, or this is another version."""
        with contextlib.suppress(HomeportError, OSError):
            await self.activate(release)

    def fail(self, reason: str) -> None:
        """Nothing can serve: `reason` is what is wrong."""
        self._health.error = reason
        self._entrance.give_up_sockets()

    async def _reopen(self) -> None:
        while not self._entrance.is_open:
            await asyncio.sleep(REOPEN_S)
            with contextlib.suppress(PlatformError):
                self.open_if_down()

    def open_if_down(self) -> None:
        """Raises PlatformError while another program has the port."""
        if not self._entrance.is_open:
            self.open()
            self._health.error = None
            self._scaling.refill()

    async def activate(self, release: RunnableRelease) -> None:
        """Warms a worker of `release` up and switches to it. If that fails the old release goes on as it was.

        The old one stops first where `release` says so, or where a worker beside it fails as if it were in the way.
        """
        async with self._scaling.lock:
            self.open_if_down()
            self.had_to_stop_first = False
            try:
                await (self._replace(release) if release.stop_first else self._switch(release))
            except HomeportError as error:
                if release.stop_first or not self.workers or not is_exclusive(error):
                    raise
                await self._replace(release)
                self.had_to_stop_first = True
        self._scaling.fill()

    async def _switch(self, release: RunnableRelease) -> None:
        with self._placed(release):
            worker = await self._crew.start(release, proven=False)
        old = self._crew.serving
        self._serve_with(worker)
        for each in old:
            self._crew.retire(each)
        # Only then is every new connection answered by the new release.
        await asyncio.gather(*(each.stopped() for each in old))

    async def _replace(self, release: RunnableRelease) -> None:
        async with self._alone():
            with self._placed(release):
                worker = await self._crew.start(release, proven=False)
            self._serve_with(worker)

    def _serve_with(self, worker: Worker) -> None:
        self._crew.serving, self._scaling.release = [worker], worker.release
        self._health.recovered()
        self._entrance.release()

    @contextlib.contextmanager
    def _placed(self, release: RunnableRelease) -> Iterator[None]:
        """The files of `release` are in the working folder; those of the one before, if this fails."""
        previous = self.release
        self._entrance.unwatch()
        try:
            self._workdir.place(release.bundle / "app", release.files, release.folders)
            yield
        except BaseException:
            # What is wrong with the folder itself is said already.
            with contextlib.suppress(ReleaseError):
                self._workdir.place(
                    *((previous.bundle / "app", previous.files) if previous else (release.bundle / "app", {}))
                )
            self._scaling.watch()
            raise

    @contextlib.asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """No worker runs meanwhile, and connections wait. What ran is started again."""
        async with self._scaling.lock, self._alone():
            yield

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """No worker runs, and connections wait. Where none was started meanwhile, what ran is started again."""
        ran = self.workers > 0
        self._entrance.unwatch()
        self._entrance.collect()
        try:
            # One that was silent may have been given more time.
            for worker in set(self._crew.running):
                self._crew.retire(worker)
            await self.retired()
            self._entrance.end_collecting()
            yield
        finally:
            if not self._crew.serving:
                self._scaling.watch()
                if ran:
                    self._scaling.wake()

    async def close(self, limit_s: float = DRAIN_LIMIT_S) -> None:
        """Stops accepting, lets requests finish for so long, ends every worker and gives the socket back."""
        self._entrance.unwatch()
        await self._tasks.end()
        await self._crew.close(limit_s)
        self._entrance.close()
        self.log.close()

    async def leave(self) -> None:
        """The control plane ends, and everything else goes on."""
        self._entrance.unwatch()
        await self._tasks.end()
        await self._crew.leave()
        self._entrance.keep_parked()
        self.log.close()
