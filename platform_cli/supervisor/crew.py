"""Starts the worker processes of one project, follows each through its life, and retires it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path

from homeport_runtime.guard.access import Access

from ..errors import HomeportError
from .container_spec import CALLS, NOBODY
from .entrance import Entrance
from .health import Health
from .jobs import serving_job
from .journal import Journal
from .kept import Adopted, KeptProject, Known
from .launch import AdoptingLauncher
from .messages import Relay, Relayed
from .open_calls import OpenCalls, keep_open_calls
from .relay import Relays
from .release import RunnableRelease
from .tasks import Tasks
from .windows import windows_file
from .worker import DRAIN_LIMIT_S, START_GRACE_S, Worker
from .worker_start import start_worker

# A worker that ends by itself within so many seconds has crashed on its start.
SHORT_LIFE_S = 2.0
# The seconds in which workers have to hear who may call.
HEARING_S = 5.0


class Crew:
    """Holds the project's workers: those in `serving` accept, those in `retiring` finish their last requests.

    scaling.py decides how many there should be, and sets four functions: `attend` runs for as long as a worker does,
    `on_idle` and `on_load` report a worker's messages, and `on_lost` is called when a serving worker has ended by
    itself. `on_used` reports the hashes of the client tokens that callers have shown, and `on_refused`
    callers that have signed in and were refused (messages.Refused).
    """

    def __init__(
        self,
        folder: Path,
        workdir: Path,
        state_key: str,
        launcher: AdoptingLauncher,
        entrance: Entrance,
        kept: KeptProject,
        journal: Journal,
        health: Health,
        tasks: Tasks,
    ) -> None:
        self.serving: list[Worker] = []
        self.retiring: set[Worker] = set()
        self.attend: Callable[[Worker], Coroutine[object, object, None]] = _stand_by
        self.on_idle: Callable[[Worker], None] = _ignore
        self.on_load: Callable[[Worker], None] = _ignore
        self.on_lost: Callable[[Worker], None] = _ignore
        self.on_used: Callable[[tuple[str, ...]], None] = lambda _tokens: None
        self.on_refused: Callable[[str | None], None] = lambda _grant: None
        self._starting: set[Worker] = set()
        # None until workers were told: an earlier control plane may have told them.
        self.audit_has_room: bool | None = None
        self._folder = folder
        self._workdir = workdir
        self._state_key = state_key
        self._launcher = launcher
        self._entrance = entrance
        self._kept = kept
        self._journal = journal
        self._health = health
        self._tasks = tasks
        self._relays = Relays()

    @property
    def running(self) -> list[Worker]:
        """Returns the workers that serve, and those that finish their last requests."""
        return [*self.serving, *self.retiring]

    @property
    def processes(self) -> list[int]:
        """Returns the ids of the workers that are processes of this machine, and in no container."""
        return [worker.pid for worker in (*self._starting, *self.running) if not worker.place]

    async def start(self, release: RunnableRelease, *, proven: bool = True) -> Worker:
        """Starts a worker of `release` and returns it when it accepts.

        Raises the worker's own reason, as InspectError or ReleaseError, if it does not start.
        """
        calls = self._keep_open_calls(release)
        worker = await start_worker(
            self._launcher,
            release,
            serving_job(release, self._workdir, self._state_key, proven=proven),
            calls=calls,
            windows=windows_file(self._folder, release),
            sockets=self._entrance.sockets,
            sink=lambda line, level, pid: self._journal.write_line(
                line, level=level, release=release.number, worker=pid
            ),
        )
        self._starting.add(worker)
        try:
            await worker.expect("ready", release.start_timeout_s + START_GRACE_S)
            self._kept.keep_worker(worker)
            if self.audit_has_room is False:
                worker.tell_audit(has_room=False)
            await worker.accept()
        except BaseException as error:
            worker.kill()
            await worker.gone.wait()
            if isinstance(error, HomeportError):
                self._health.error = error.message
                self._journal.log.write("error", error.message, release=release.number)
            raise
        finally:
            self._starting.discard(worker)
            if calls is not None:
                calls.hide()
        self._attach(worker)
        return worker

    def _keep_open_calls(self, release: RunnableRelease) -> OpenCalls | None:
        if release.container is not None:
            return keep_open_calls(self._folder / CALLS / "calls", NOBODY)
        return keep_open_calls(self._folder / "calls", release.user)

    def tell_audit(self, *, has_room: bool) -> None:
        """Tells every worker whether calls can be written into the audit log."""
        self.audit_has_room = has_room
        for worker in (*self._starting, *self.running):
            worker.tell_audit(has_room=has_room)

    def admit(self, access: Access) -> None:
        """Tells every worker who may call from now on, also those that start or finish their last requests."""
        for worker in (*self._starting, *self.running):
            if worker.admit(access):
                self._kept.renew_note(worker, leaves=worker in self.retiring)

    async def heard(self) -> None:
        """Waits until every worker has heard who may call; one that hangs answers no calls, and is not waited for
        long.
        """
        hearing = [asyncio.ensure_future(worker.heard()) for worker in (*self._starting, *self.running)]
        if hearing:
            _done, late = await asyncio.wait(hearing, timeout=HEARING_S)
            for each in late:
                each.cancel()

    async def adopt(self, release: RunnableRelease, known: Known) -> list[Adopted]:
        """Takes over the workers that the last control plane has left; `known` finds the release that each serves."""
        adopted = await self._kept.adopt_workers(release, known, self._journal, self._launcher)
        for each in adopted:
            self._attach(each.worker)
            if each.leaves:
                self.retire(each.worker)
            else:
                self.serving.append(each.worker)
        return adopted

    def _attach(self, worker: Worker) -> None:
        worker.on_idle = self.on_idle
        worker.on_load = self.on_load
        worker.on_used = self.on_used
        worker.on_refused = self.on_refused
        worker.on_relay = self._on_relay
        self._tasks.spawn(self._follow(worker))

    async def _follow(self, worker: Worker) -> None:
        """Follows a worker that serves to its end, and resets the project's failures if it lasts."""
        past = self._health.error
        attending = self._tasks.spawn(self.attend(worker))
        try:
            await asyncio.wait_for(worker.gone.wait(), SHORT_LIFE_S)
            self._health.crashes += 1 if worker in self.serving else 0
        except TimeoutError:
            self._health.lasted(past)
            await worker.gone.wait()
        finally:
            attending.cancel()
        self._notice_end(worker)

    def _notice_end(self, worker: Worker) -> None:
        self.retiring.discard(worker)
        self._relays.ended(worker)
        if worker in self.serving:
            self.serving.remove(worker)
            self._health.error = f"the worker ended by itself ({worker.exit_reason()})"
            self._journal.log.write("error", self._health.error, release=worker.release.number)
            self.on_lost(worker)

    def _on_relay(self, worker: Worker, message: Relay | Relayed) -> None:
        self._relays.handle(worker, message, [other for other in self.running if other is not worker])

    def retire(self, worker: Worker, limit_s: float = DRAIN_LIMIT_S) -> None:
        """Tells a worker to hand over and end; from now on it does not serve."""
        if worker in self.serving:
            self.serving.remove(worker)
        self._kept.leaves(worker)
        self.retiring.add(worker)
        self._tasks.spawn(worker.hand_over(limit_s))

    async def retired(self) -> None:
        """Waits until all retiring workers have ended."""
        await asyncio.gather(*(worker.gone.wait() for worker in self.retiring))

    async def close(self, limit_s: float) -> None:
        """Ends every worker, which has `limit_s` seconds for its open requests."""
        workers, self.serving = self.running, []
        await asyncio.gather(*(worker.close(limit_s) for worker in workers))

    async def leave(self) -> None:
        """Lets the workers continue without this process; the next control plane adopts them."""
        await asyncio.gather(*(worker.leave() for worker in self.running))


def _ignore(_worker: Worker) -> None:
    """Does nothing, until somebody else is to be called."""


async def _stand_by(_worker: Worker) -> None:
    """Does nothing, until somebody else is to attend."""
