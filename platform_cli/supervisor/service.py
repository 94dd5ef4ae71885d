"""One project on the embedded platform: its socket, its release, its worker, and every change between them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path

from ..errors import HomeportError, PlatformError, ReleaseError
from .descriptor_store import DescriptorStore
from .exchange import Exchange
from .exclusive import is_exclusive
from .kept import KeptProject, Known
from .liveness import CONTINUE_S, NOTICED_S, PATIENCE
from .logbook import LogBook
from .messages import Relay, Relayed
from .open_calls import keep_open_calls
from .parking import Parking
from .pressure import Pressure
from .relay import Relays
from .release import RunnableRelease
from .sockets import open_listener
from .workdir import WorkDir
from .worker import DRAIN_LIMIT_S, START_GRACE_S, Worker, serving_job, start_worker
from .zygote import Zygotes

# The longest wait before a worker is started that has come to a quick end again and again.
LAST_BACKOFF_S = 60.0
# A worker that ends by itself before this has crashed on its start.
SHORT_LIFE_S = 2.0
# How long there must be too many requests for another worker, and so few that one can go.
SCALE_OUT_S = 1.0
SCALE_IN_S = 15.0
# Seconds between looks whether a port that another program has taken is free again.
REOPEN_S = 0.5


class Service:
    """Without a worker the supervisor watches the socket: a connection waits in the kernel while a worker starts.

    `release` is what serves, or would serve when somebody connects; None before the first deploy has worked.
    """

    def __init__(
        self,
        folder: Path,
        project: str,
        port: int,
        state_key: str,
        zygotes: Zygotes,
        parking: Parking,
        store: DescriptorStore,
    ) -> None:
        self.project = project
        self.port = port
        self.log = LogBook(folder / "logs", project)
        self.release: RunnableRelease | None = None
        self._error: str | None = None
        # Whether the last activation worked only when the old release had stopped, though nobody had said so.
        self.had_to_stop_first = False
        self._folder = folder
        self._workdir = WorkDir(folder)
        self._state_key = state_key
        self._zygotes = zygotes
        self._listener: socket.socket | None = None
        self._parking = parking
        self._kept = KeptProject(store, project)
        sockets = self._kept.take_sockets()
        # Open until it is known whether the project can serve.
        self._inherited: socket.socket | None = sockets[0] if sockets else None
        self._exchange = Exchange(project, parking, sockets[1] if sockets else socket.socketpair())
        self._workers: list[Worker] = []
        self._retiring: set[Worker] = set()
        self._starting: set[Worker] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._lock = asyncio.Lock()
        self._watching = False
        self._crashes = 0
        self._relays = Relays()
        self._pressure = Pressure()

    @property
    def state(self) -> str:
        """`running`, `unresponsive` (what runs gives no sign of life), `idle` (the next connection starts a worker),
        `failing`, or `down` (no socket).
        """
        if self._listener is None:
            return "down"
        if self._workers:
            hang = all(worker.pulse.is_unresponsive for worker in self._workers)
            return "unresponsive" if hang else "running"
        return "failing" if self._backoff else "idle"

    @property
    def last_error(self) -> str | None:
        """What is wrong now, or was when a worker was last started."""
        for worker in (*self._workers, *self._retiring):
            if worker.pulse.is_unresponsive:
                return (
                    f"a worker gives no sign of life for {worker.release.unresponsive_s:g} s: its log says where it is"
                )
        return self._error

    @property
    def workers(self) -> int:
        """How many run now, those included that finish their last requests."""
        return len(self._workers) + len(self._retiring)

    @property
    def processes(self) -> list[int]:
        return [worker.pid for worker in (*self._starting, *self._workers, *self._retiring)]

    @property
    def is_retiring(self) -> bool:
        """Whether a worker that was told to go still runs, and with it what it has started."""
        return bool(self._retiring)

    async def retired(self) -> None:
        """Returns when each worker that was told to go has ended."""
        await asyncio.gather(*(worker.gone.wait() for worker in self._retiring))

    def open(self, listener: socket.socket | None = None) -> None:
        """Takes the listening socket, or opens it on the project's port; raises PlatformError if it is taken."""
        self._listener = listener or self._inherited or open_listener(self.port)
        self._inherited = None
        self._kept.keep_sockets(self._listener, self._exchange.ends)

    async def resume(self, release: RunnableRelease, known: Known = lambda _number: None) -> None:
        """After a restart of the platform: workers that the last control plane has left go on, and `known` tells which
        release they serve. Else `release` serves as soon as somebody connects, or at once where it asks for workers
        that always run.

        While the port is taken, be it by a worker that a killed platform left behind, the service is down.
        """
        self.release, self._error = release, None
        adopted = await self._kept.adopt_workers(release, known, self.log)
        for each in adopted:
            self._attach(each.worker)
            if each.leaves:
                self._retire(each.worker)
            else:
                self._workers.append(each.worker)
        for descriptors in self._kept.take_parked():
            self._exchange.park(*descriptors)
        if self._workers:
            self._exchange.release()
        if release.stop_first and self._retiring:
            self._spawn(self._hold_until_retired())
        if not all(each.is_current or each.leaves for each in adopted):
            self._spawn(self._renew(release))
        try:
            self.open()
        except PlatformError as error:
            self._error = error.message
            self._spawn(self._reopen())
        self._watch()
        self._fill()

    async def _hold_until_retired(self) -> None:
        """No worker starts before those that were told to go have gone."""
        async with self._lock:
            await self.retired()

    async def _renew(self, release: RunnableRelease) -> None:
        """What serves was started as something else: a kill came between two steps, or this is another version."""
        with contextlib.suppress(HomeportError, OSError):
            await self.activate(release)

    def fail(self, reason: str) -> None:
        """Nothing can serve: `reason` is what is wrong."""
        self._error = reason
        self._give_up_sockets()

    async def _reopen(self) -> None:
        while self._listener is None:
            await asyncio.sleep(REOPEN_S)
            with contextlib.suppress(PlatformError):
                self.open_if_down()

    def open_if_down(self) -> None:
        """Raises PlatformError while another program has the port."""
        if self._listener is None:
            self.open()
            self._error = None
            self._watch()
            self._fill()

    async def activate(self, release: RunnableRelease) -> None:
        """Warms a worker of `release` up and switches to it. If that fails the old release goes on as it was.

        The old one stops first where `release` says so, or where a worker beside it fails as if it were in the way.
        """
        async with self._lock:
            self.open_if_down()
            self.had_to_stop_first = False
            try:
                await (self._replace(release) if release.stop_first else self._switch(release))
            except HomeportError as error:
                if release.stop_first or not self.workers or not is_exclusive(error):
                    raise
                await self._replace(release)
                self.had_to_stop_first = True
        self._fill()

    async def _switch(self, release: RunnableRelease) -> None:
        with self._placed(release):
            worker = await self._start(release, proven=False)
        old = self._workers
        self._serve_with(worker)
        for each in old:
            self._retire(each)
        # Only then is every new connection answered by the new release.
        await asyncio.gather(*(each.stopped() for each in old))

    async def _replace(self, release: RunnableRelease) -> None:
        async with self._alone():
            with self._placed(release):
                worker = await self._start(release, proven=False)
            self._serve_with(worker)

    def _serve_with(self, worker: Worker) -> None:
        self._workers, self.release = [worker], worker.release
        self._error, self._crashes = None, 0
        self._exchange.release()

    @contextlib.contextmanager
    def _placed(self, release: RunnableRelease) -> Iterator[None]:
        """The files of `release` are in the working folder; those of the one before, if this fails."""
        previous = self.release
        self._unwatch()
        try:
            self._workdir.place(release.bundle / "app", release.files, release.folders)
            yield
        except BaseException:
            # What is wrong with the folder itself is said already.
            with contextlib.suppress(ReleaseError):
                self._workdir.place(
                    *((previous.bundle / "app", previous.files) if previous else (release.bundle / "app", {}))
                )
            self._watch()
            raise

    @contextlib.asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """No worker runs meanwhile, and connections wait. What ran is started again."""
        async with self._lock, self._alone():
            yield

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """No worker runs, and connections wait. Where none was started meanwhile, what ran is started again."""
        ran = self.workers > 0
        self._unwatch()
        self._exchange.collect()
        try:
            # One that was silent may have been given more time.
            for worker in {*self._workers, *self._retiring}:
                self._retire(worker)
            self._workers = []
            await self.retired()
            self._exchange.unwatch()
            yield
        finally:
            if not self._workers:
                self._watch()
                if ran:
                    self._on_request()

    async def close(self, limit_s: float = DRAIN_LIMIT_S) -> None:
        """Stops accepting, lets requests finish for so long, ends every worker and gives the socket back."""
        self._unwatch()
        await self._end_tasks()
        workers = [*self._retiring, *self._workers]
        self._workers = []
        await asyncio.gather(*(worker.close(limit_s) for worker in workers))
        self._give_up_sockets()
        self._exchange.close()
        self.log.close()

    async def leave(self) -> None:
        """The control plane ends, and everything else goes on."""
        self._unwatch()
        await self._end_tasks()
        await asyncio.gather(*(worker.leave() for worker in (*self._retiring, *self._workers)))
        self._kept.keep_parked(self._exchange.parked)
        self.log.close()

    def _give_up_sockets(self) -> None:
        for listener in (self._listener, self._inherited):
            if listener is not None:
                listener.close()
        self._listener = self._inherited = None
        self._kept.drop_sockets()

    async def _end_tasks(self) -> None:
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _start(self, release: RunnableRelease, *, proven: bool = True) -> Worker:
        """A worker of `release` that accepts; raises with the worker's own reason if it does not come up."""
        calls = keep_open_calls(self._folder / "calls")
        worker = await start_worker(
            self._zygotes,
            release,
            serving_job(release, self._workdir.path, self._state_key, proven=proven),
            calls=calls,
            sockets=(*([self._listener] if self._listener else []), *self._exchange.ends),
            sink=lambda line, level, pid: self.log.write_line(line, level=level, release=release.number, worker=pid),
        )
        self._starting.add(worker)
        try:
            await worker.expect("ready", release.start_timeout_s + START_GRACE_S)
            self._kept.keep_worker(worker)
            await worker.accept()
        except BaseException as error:
            worker.kill()
            await worker.gone.wait()
            if isinstance(error, HomeportError):
                self._error = error.message
                self.log.write("error", error.message, release=release.number)
            raise
        finally:
            self._starting.discard(worker)
            if calls is not None:
                calls.hide()
        self._attach(worker)
        return worker

    def _attach(self, worker: Worker) -> None:
        worker.on_idle = self._rest
        worker.on_load = self._weigh
        worker.on_relay = self._on_relay
        self._spawn(self._follow(worker))

    async def _follow(self, worker: Worker) -> None:
        """The life of a worker that serves: what has failed before is over when it lasts."""
        attending = self._spawn(self._attend(worker))
        try:
            await asyncio.wait_for(worker.gone.wait(), SHORT_LIFE_S)
            self._crashes += 1 if worker in self._workers else 0
        except TimeoutError:
            self._crashes, self._error = 0, None
            await worker.gone.wait()
        finally:
            attending.cancel()
        self._notice_end(worker)

    def _notice_end(self, worker: Worker) -> None:
        self._retiring.discard(worker)
        self._relays.ended(worker)
        if worker not in self._workers:
            return
        self._workers.remove(worker)
        self._error = f"the worker ended by itself ({worker.exit_reason()})"
        self.log.write("error", self._error, release=worker.release.number)
        self._watch()
        self._fill()

    async def _attend(self, worker: Worker) -> None:
        """Sees to it that callers are answered while `worker` gives no sign of life (liveness.py)."""
        pulse, release = worker.pulse, worker.release
        while True:
            await pulse.silence(NOTICED_S)
            pulse.is_silent = True
            self._spawn(self._scale_out(release))
            if await pulse.beats_within(release.unresponsive_s - NOTICED_S):
                continue
            pulse.is_unresponsive = True
            silence = f"the worker gives no sign of life for {release.unresponsive_s:g} s; its threads are here:"
            self.log.write("error", silence, release=release.number)
            worker.ask_where()
            if await pulse.beats_within(CONTINUE_S):
                continue
            await self._take_over(worker)
            if worker not in self._workers:
                return
            if not await pulse.beats_within(release.unresponsive_s * (PATIENCE - 1)):
                worker.kill()

    async def _take_over(self, worker: Worker) -> None:
        """Another worker goes on, where two may run at a time; what keeps this one may still come to its end."""
        release = worker.release
        async with self._lock:
            if release.stop_first or worker not in self._workers:
                return
            with contextlib.suppress(HomeportError, OSError):
                self._workers.append(await self._start(release))
                if worker in self._workers:
                    self._workers.remove(worker)
                    self._retire(worker, release.unresponsive_s * PATIENCE)

    def _retire(self, worker: Worker, limit_s: float = DRAIN_LIMIT_S) -> None:
        self._kept.leaves(worker)
        self._retiring.add(worker)
        self._spawn(worker.hand_over(limit_s))

    def _rest(self, worker: Worker) -> None:
        """A worker that nobody needs any more goes; with the last one the supervisor watches the sockets again."""
        if worker in self._workers and not self._lock.locked() and len(self._workers) > worker.release.min_workers:
            self._workers.remove(worker)
            self._watch()
            self._retire(worker)

    def _weigh(self, _worker: Worker) -> None:
        """Told how many requests are open: more workers while there are too many for long, fewer while few."""
        release = self.release
        if release is None or self._lock.locked() or not self._workers:
            return
        count, requests = len(self._workers), sum(worker.open_requests for worker in self._workers)
        self._pressure.note(
            crowded=count < release.max_workers and requests > count * release.concurrency,
            roomy=count > max(1, release.min_workers)
            and not any(worker.pulse.is_silent for worker in self._workers)
            and requests <= (count - 1) * release.concurrency / 2,
        )
        if self._pressure.crowded_for(SCALE_OUT_S):
            self._pressure = Pressure()
            self._spawn(self._scale_out(release))
        elif self._pressure.roomy_for(SCALE_IN_S):
            self._pressure = Pressure()
            self._retire(self._workers.pop())

    def _fill(self) -> None:
        """Starts what is missing of the workers that `min` asks for even when nobody calls."""
        if self._listener is not None and self.release and len(self._workers) < self.release.min_workers:
            self._unwatch()
            self._spawn(self._start_missing(self.release))

    async def _start_missing(self, release: RunnableRelease) -> None:
        while self.release is release and len(self._workers) < release.min_workers:
            before = len(self._workers)
            await (self._scale_out(release) if before else self._wake())
            if len(self._workers) == before:
                return

    async def _scale_out(self, release: RunnableRelease) -> None:
        async with self._lock:
            most = max(release.max_workers, release.min_workers)
            if self.release is not release or not self._workers or len(self._workers) >= most:
                return
            with contextlib.suppress(HomeportError, OSError):
                worker = await self._start(release)
                for busy in self._workers:
                    busy.share(len(self._workers) + 1)
                self._workers.append(worker)

    def _on_relay(self, worker: Worker, message: Relay | Relayed) -> None:
        others = [other for other in (*self._workers, *self._retiring) if other is not worker]
        self._relays.handle(worker, message, others)

    def _watch(self) -> None:
        if self._listener is not None and not self._workers and self.release is not None and not self._watching:
            self._watching = True
            asyncio.get_running_loop().add_reader(self._listener.fileno(), self._on_request)
            self._exchange.watch(self._on_request)

    def _unwatch(self) -> None:
        if self._watching and self._listener is not None:
            self._watching = False
            asyncio.get_running_loop().remove_reader(self._listener.fileno())
            self._exchange.unwatch()

    def _on_request(self) -> None:
        self._unwatch()
        self._spawn(self._wake_all())

    @property
    def _backoff(self) -> float:
        """Seconds to wait before the next start: none after one short life, then 1, 2, 4 ... 60."""
        return min(2.0 ** (self._crashes - 2), LAST_BACKOFF_S) if self._crashes > 1 else 0.0

    async def _wake_all(self) -> None:
        await self._wake()
        self._fill()

    async def _wake(self) -> None:
        await asyncio.sleep(self._backoff)
        async with self._lock:
            if self._workers or self.release is None:
                return
            try:
                self._workers = [await self._start(self.release)]
                self._exchange.release()
            except Exception as error:
                # Whatever it was, the socket must be watched again, or every request would wait for ever.
                self._error = str(error) or type(error).__name__
                self._crashes += 1
                self._parking.relieve(error)
                self._watch()

    def _spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
