"""Decides how many workers of a project run: none while nobody calls, one more after too many requests for long.

A worker that gives no sign of life keeps its life and loses its place: liveness.py says why.
"""

from __future__ import annotations

import asyncio
import contextlib

from ..errors import HomeportError
from .crew import Crew
from .entrance import Entrance
from .health import Health
from .liveness import CONTINUE_S, NOTICED_S, PATIENCE
from .logbook import LogBook
from .parking import Parking
from .pressure import Pressure
from .release import RunnableRelease
from .tasks import Tasks
from .worker import Worker

# The seconds of too many requests after which a worker is added, and those of so few that one is removed.
SCALE_OUT_S = 1.0
SCALE_IN_S = 15.0


class Scaling:
    """Scales one project.

    `release` is what serves, or would serve when somebody connects; None before the first deploy has worked. Whoever
    starts or replaces workers holds `lock`.
    """

    def __init__(
        self, crew: Crew, entrance: Entrance, parking: Parking, log: LogBook, health: Health, tasks: Tasks
    ) -> None:
        self.release: RunnableRelease | None = None
        self.lock = asyncio.Lock()
        self._crew = crew
        self._entrance = entrance
        self._parking = parking
        self._log = log
        self._health = health
        self._tasks = tasks
        self._pressure = Pressure()
        crew.attend = self._attend
        crew.on_idle = self._rest
        crew.on_load = self._weigh
        crew.on_lost = lambda _worker: self.refill()

    def watch(self) -> None:
        """Lets the next request start a worker, while none runs."""
        if not self._crew.serving and self.release is not None:
            self._entrance.watch(self.wake)

    def wake(self) -> None:
        """Starts a worker if none runs, and the others that `min` asks for."""
        self._entrance.unwatch()
        self._tasks.spawn(self._wake_all())

    def refill(self) -> None:
        """Starts the workers that `min` asks for, and lets the next request start one, after workers have ended or may
        serve again.
        """
        self.watch()
        self.fill()

    def fill(self) -> None:
        """Starts the missing ones of the workers that `min` asks for."""
        release = self.release
        if self._entrance.is_open and release and len(self._crew.serving) < release.min_workers:
            self._entrance.unwatch()
            self._tasks.spawn(self._start_missing(release))

    async def _start_missing(self, release: RunnableRelease) -> None:
        while self.release is release and len(self._crew.serving) < release.min_workers:
            before = len(self._crew.serving)
            await (self._scale_out(release) if before else self._wake())
            if len(self._crew.serving) == before:
                return

    async def _wake_all(self) -> None:
        await self._wake()
        self.fill()

    async def _wake(self) -> None:
        await asyncio.sleep(self._health.backoff_s)
        async with self.lock:
            if self._crew.serving or self.release is None:
                return
            try:
                self._crew.serving = [await self._crew.start(self.release)]
                self._entrance.release()
            except Exception as error:
                # After any error the socket must be watched again, or every request would wait for ever.
                self._health.error = str(error) or type(error).__name__
                self._health.crashes += 1
                self._parking.relieve(error)
                self.watch()

    def _rest(self, worker: Worker) -> None:
        """Retires a worker that nobody needs; after the last one the sockets are watched again."""
        serving = self._crew.serving
        if worker in serving and not self.lock.locked() and len(serving) > worker.release.min_workers:
            self._crew.retire(worker)
            self.watch()

    def _weigh(self, _worker: Worker) -> None:
        """Starts a worker after too many open requests for long, and retires one after few."""
        release, serving = self.release, self._crew.serving
        if release is None or self.lock.locked() or not serving:
            return
        count, requests = len(serving), sum(worker.open_requests for worker in serving)
        self._pressure.note(
            crowded=count < release.max_workers and requests > count * release.concurrency,
            roomy=count > max(1, release.min_workers)
            and not any(worker.pulse.is_silent for worker in serving)
            and requests <= (count - 1) * release.concurrency / 2,
        )
        if self._pressure.crowded_for(SCALE_OUT_S):
            self._pressure = Pressure()
            self._tasks.spawn(self._scale_out(release))
        elif self._pressure.roomy_for(SCALE_IN_S):
            self._pressure = Pressure()
            self._crew.retire(serving[-1])

    async def _scale_out(self, release: RunnableRelease) -> None:
        async with self.lock:
            serving = self._crew.serving
            most = max(release.max_workers, release.min_workers)
            if self.release is not release or not serving or len(serving) >= most:
                return
            with contextlib.suppress(HomeportError, OSError):
                worker = await self._crew.start(release)
                for busy in self._crew.serving:
                    busy.share(len(self._crew.serving) + 1)
                self._crew.serving.append(worker)

    async def _attend(self, worker: Worker) -> None:
        """Lets callers be answered by others while `worker` gives no sign of life."""
        pulse, release = worker.pulse, worker.release
        while True:
            await pulse.silence(NOTICED_S)
            pulse.is_silent = True
            self._tasks.spawn(self._scale_out(release))
            if await pulse.beats_within(release.unresponsive_s - NOTICED_S):
                continue
            pulse.is_unresponsive = True
            silence = f"the worker gives no sign of life for {release.unresponsive_s:g} s; its threads are here:"
            self._log.write("error", silence, release=release.number)
            worker.ask_where()
            if await pulse.beats_within(CONTINUE_S):
                continue
            await self._take_over(worker)
            if worker not in self._crew.serving:
                return
            if not await pulse.beats_within(release.unresponsive_s * (PATIENCE - 1)):
                worker.kill()

    async def _take_over(self, worker: Worker) -> None:
        """Starts another worker in its place, where two may run at a time; the silent one may still finish its call."""
        release, crew = worker.release, self._crew
        async with self.lock:
            if release.stop_first or worker not in crew.serving:
                return
            with contextlib.suppress(HomeportError, OSError):
                other = await crew.start(release)
                crew.serving.append(other)
                if worker in crew.serving:
                    crew.retire(worker, release.unresponsive_s * PATIENCE)
