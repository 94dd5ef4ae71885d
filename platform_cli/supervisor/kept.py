"""Keeps a project's sockets and workers beyond the control plane's life (descriptor_store.py)."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from homeport_runtime.hosts.cgroups import Group

from ..errors import HomeportError
from .descriptor_store import DescriptorStore
from .journal import Journal
from .launch import NO_GROUP, AdoptingLauncher, Launched
from .open_calls import OpenCalls
from .release import RunnableRelease
from .store_messages import Kept
from .worker import Worker, WorkerState

# Returns the release of a number as it would run now; None if it does not exist any more.
Known = Callable[[int], RunnableRelease | None]


@dataclass(frozen=True, slots=True)
class Adopted:
    """Is a worker that was adopted.

    It serves, unless it `leaves`; it `is_current` if a worker that is started now would be the same.
    """

    worker: Worker
    leaves: bool
    is_current: bool


@dataclass(frozen=True, slots=True)
class _Note:
    """Says of a worker which release it serves, and with which fingerprint (RunnableRelease.fingerprint)."""

    release: int
    fingerprint: str
    leaves: bool = False


class KeptProject:
    def __init__(self, store: DescriptorStore, project: str) -> None:
        self._store = store
        self._project = project
        self._sockets = f"project/{project}"
        self._workers = f"worker/{project}"
        self._connections = f"parked/{project}"
        self._next_connection = 0

    def take_sockets(self) -> tuple[socket.socket, tuple[socket.socket, socket.socket]] | None:
        """Returns the listener, and the two ends of the exchange, which the workers have; None if nothing was kept."""
        kept = self._store.take(self._sockets)
        if kept is None:
            return None
        listener, give, take = (socket.socket(fileno=descriptor) for descriptor in kept.descriptors)
        listener.setblocking(False)
        return listener, (give, take)

    def keep_sockets(self, listener: socket.socket, ends: tuple[socket.socket, socket.socket]) -> None:
        self._store.keep(self._sockets, [each.fileno() for each in (listener, *ends)])

    def drop_sockets(self) -> None:
        self._store.drop(self._sockets)

    def keep_connection(self, descriptors: Sequence[int]) -> str:
        """Keeps a waiting connection, its own descriptor first, and returns the name under which it is kept."""
        name = f"{self._connections}/{self._next_connection}"
        self._next_connection += 1
        self._store.keep(name, descriptors)
        return name

    def take_connections(self) -> Iterator[Kept]:
        for kept in self._store.take_below(self._connections):
            self._next_connection = max(self._next_connection, int(kept.name.rpartition("/")[2]) + 1)
            yield kept

    def drop_connection(self, name: str) -> None:
        """Drops a connection that is closed or passed on: it must not close later than with its last owner."""
        self._store.drop(name)

    @property
    def is_behind(self) -> bool:
        """Tells whether the master has not received all that was kept and dropped."""
        return self._store.is_behind

    def keep_worker(self, worker: Worker) -> None:
        """Keeps a worker; called before it accepts, since from then on clients wait for its answers."""
        self._store.keep(self._name(worker), worker.descriptors, _note(worker))
        worker.on_gone = self._drop

    def leaves(self, worker: Worker) -> None:
        """Notes that a worker leaves; called before it is told, since it must not be taken for one that accepts."""
        self._store.keep(self._name(worker), note=_note(worker, leaves=True))

    def renew_note(self, worker: Worker, *, leaves: bool) -> None:
        """Notes that a worker runs with another release than it was started with, if it is kept."""
        if worker.state is not WorkerState.STARTING:
            self._store.keep(self._name(worker), note=_note(worker, leaves=leaves))

    def _drop(self, worker: Worker) -> None:
        self._store.drop(self._name(worker))

    def _name(self, worker: Worker) -> str:
        # In different containers two may have the same id.
        return f"{self._workers}/{worker.place}:{worker.pid}"

    async def adopt_workers(
        self, active: RunnableRelease, known: Known, journal: Journal, launcher: AdoptingLauncher
    ) -> list[Adopted]:
        adopted = []
        for kept in list(self._store.take_below(self._workers)):
            try:
                note = _Note(**json.loads(kept.note))
            except (TypeError, ValueError):
                # The note is of another version. The worker ends by itself when its control channel is closed.
                self._store.close(kept)
            else:
                adopted.append(await self._adopt(kept, note, active, known, journal, launcher))
        return adopted

    async def _adopt(
        self,
        kept: Kept,
        note: _Note,
        active: RunnableRelease,
        known: Known,
        journal: Journal,
        launcher: AdoptingLauncher,
    ) -> Adopted:
        release = known(note.release)
        secrets = _secrets(release)

        def sink(line: bytes, level: str, pid: int) -> None:
            # Without its secrets, which cannot be removed from it, its output must not be logged.
            if secrets is not None:
                journal.write_line(line, level=level, release=note.release, worker=pid)

        control, stdout, stderr, *calls = kept.descriptors
        place, _, pid = kept.name.rpartition("/")[2].rpartition(":")
        group = NO_GROUP if place else Group.of(int(pid))
        launched = Launched(int(pid), socket.socket(fileno=control), stdout, stderr, _unseen(), group)
        if place:
            launched = launcher.adopt(launched, place)
        worker = Worker(
            release or replace(active, number=note.release),
            launched,
            OpenCalls(Path(), calls[0]) if calls else None,
            WorkerState.DRAINING if note.leaves else WorkerState.SERVING,
        )
        await worker.open(secrets or {}, sink)
        worker.on_gone = self._drop
        if release is not None and note.fingerprint != release.fingerprint():
            # A kill may have come before it heard who may call from now on.
            worker.repeat_access()
        is_current = release is not None and note.fingerprint == active.fingerprint()
        return Adopted(worker, note.leaves, is_current)


def _unseen() -> asyncio.Future[int | None]:
    """Returns an end without an exit code: the worker's parent is gone, and nobody sees how it ends."""
    unseen: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
    unseen.set_result(None)
    return unseen


def _secrets(release: RunnableRelease | None) -> dict[str, str] | None:
    """Returns the release's secrets, None if they are not known."""
    if release is None:
        return None
    try:
        return dict(release.secrets())
    except HomeportError:
        return None


def _note(worker: Worker, *, leaves: bool = False) -> str:
    return json.dumps(asdict(_Note(worker.release.number, worker.release.fingerprint(), leaves)))
