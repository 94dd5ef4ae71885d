"""One project on the embedded platform: its socket, its release, its worker, and every change between them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine
from pathlib import Path

from ..errors import HomeportError
from .logbook import LogBook
from .release import RunnableRelease
from .sockets import open_listener
from .workdir import WorkDir
from .worker import START_GRACE_S, Worker, serving_job, start_worker
from .zygote import Zygotes

# Seconds before the next try when a worker fails to start on demand: doubled each time, up to the last.
FIRST_BACKOFF_S = 1.0
LAST_BACKOFF_S = 60.0


class Service:
    """Without a worker the supervisor watches the socket: a connection waits in the kernel while a worker starts.

    `release` is what serves, or would serve when somebody connects; None before the first deploy has worked.
    """

    def __init__(self, folder: Path, project: str, port: int, state_key: str, zygotes: Zygotes) -> None:
        self.project = project
        self.port = port
        self.log = LogBook(folder / "logs", project)
        self.release: RunnableRelease | None = None
        self.last_error: str | None = None
        self._workdir = WorkDir(folder)
        self._state_key = state_key
        self._zygotes = zygotes
        self._listener: socket.socket | None = None
        self._worker: Worker | None = None
        self._retiring: set[Worker] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lock = asyncio.Lock()
        self._watching = False
        self._backoff = 0.0

    @property
    def state(self) -> str:
        """`running`, `idle` (nothing runs, the next connection starts a worker), `failing`, or `down` (no socket)."""
        if self._listener is None:
            return "down"
        if self._worker is not None:
            return "running"
        return "failing" if self._backoff else "idle"

    @property
    def workers(self) -> int:
        """How many run now, those included that finish their last requests."""
        return (1 if self._worker is not None else 0) + len(self._retiring)

    def open(self, listener: socket.socket | None = None) -> None:
        """Takes the listening socket, or opens it on the project's port; raises PlatformError if it is taken."""
        self._listener = listener or open_listener(self.port)

    def resume(self, release: RunnableRelease) -> None:
        """After a restart of the platform: `release` serves as soon as somebody connects."""
        self.release = release
        self._watch()

    async def activate(self, release: RunnableRelease) -> None:
        """Warms a worker of `release` up and switches to it. If that fails the old release goes on as it was."""
        async with self._lock:
            previous = self.release
            self._unwatch()
            try:
                self._workdir.place(release.bundle / "app", release.files)
                worker = await self._start(release)
            except BaseException:
                self._workdir.place(
                    *((previous.bundle / "app", previous.files) if previous else (release.bundle / "app", {}))
                )
                self._watch()
                raise
            old, self._worker, self.release = self._worker, worker, release
            self.last_error, self._backoff = None, 0.0
            if old is not None:
                self._retire(old)

    async def close(self) -> None:
        """Stops accepting, lets requests finish, ends every worker and gives the socket back."""
        self._unwatch()
        for task in list(self._tasks):
            task.cancel()
        workers = [*self._retiring, *([self._worker] if self._worker else [])]
        self._worker = None
        await asyncio.gather(*(worker.drain() for worker in workers))
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self.log.close()

    async def _start(self, release: RunnableRelease) -> Worker:
        """A worker of `release` that accepts; raises with the worker's own reason if it does not come up."""
        worker = await start_worker(
            await self._zygotes.launcher(release),
            release,
            serving_job(release, self._workdir.path, self._state_key),
            listener=self._listener,
            sink=lambda line, level, pid: self.log.write_line(line, level=level, release=release.number, worker=pid),
        )
        try:
            await worker.expect("ready", release.start_timeout_s + START_GRACE_S)
            await worker.accept()
        except BaseException as error:
            worker.kill()
            if isinstance(error, HomeportError):
                self.last_error = error.message
                self.log.write("error", error.message, release=release.number)
            raise
        worker.on_idle = self._rest
        self._spawn(self._notice_end(worker))
        return worker

    async def _notice_end(self, worker: Worker) -> None:
        await worker.gone.wait()
        self._retiring.discard(worker)
        if worker is self._worker:
            self._worker = None
            self.last_error = f"the worker ended by itself ({worker.exit_reason()})"
            self.log.write("error", self.last_error, release=worker.release.number)
            self._watch()

    def _retire(self, worker: Worker) -> None:
        self._retiring.add(worker)
        self._spawn(worker.drain())

    def _rest(self, worker: Worker) -> None:
        """Scales to zero: from here on the supervisor watches the socket again."""
        if worker is self._worker and not self._lock.locked():
            self._worker = None
            self._watch()
            self._retire(worker)

    def _watch(self) -> None:
        if self._listener is not None and self._worker is None and self.release is not None and not self._watching:
            self._watching = True
            asyncio.get_running_loop().add_reader(self._listener.fileno(), self._on_connection)

    def _unwatch(self) -> None:
        if self._watching and self._listener is not None:
            self._watching = False
            asyncio.get_running_loop().remove_reader(self._listener.fileno())

    def _on_connection(self) -> None:
        self._unwatch()
        self._spawn(self._wake())

    async def _wake(self) -> None:
        if self._backoff:
            await asyncio.sleep(self._backoff)
        async with self._lock:
            if self._worker is not None or self.release is None:
                return
            try:
                self._worker = await self._start(self.release)
                self._backoff = 0.0
            except HomeportError:
                self._backoff = min(self._backoff * 2 or FIRST_BACKOFF_S, LAST_BACKOFF_S)
                self._watch()

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
