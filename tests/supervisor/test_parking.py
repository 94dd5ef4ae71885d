"""Tests how many connections wait while their projects sleep, and which are closed when there are too many."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

import pytest

from platform_cli.errors import ReleaseError
from platform_cli.supervisor.parking import SPARE, Parked, Parking


class Lot:
    """Is a parking for `most`, with what is in it and what was closed, in order."""

    def __init__(self, most: int) -> None:
        self.parking = Parking(most)
        self.closed: list[str] = []
        self.clients: dict[str, socket.socket] = {}
        self._names: dict[Parked, str] = {}

    def park(self, project: str, peer: str = "127.0.0.1") -> str:
        name = f"{project} {peer} {len(self.clients)}"
        self.clients[name], theirs = socket.socketpair()
        theirs.setblocking(False)
        parked = Parked(theirs, (project, peer), self._close)
        self._names[parked] = name
        self.parking.make_room(1)
        self.parking.enter(parked)
        return name

    def _close(self, parked: Parked) -> None:
        self.parking.leave(parked)
        parked.connection.close()
        self.closed.append(self._names.pop(parked))

    def end(self) -> None:
        for sock in (*self.clients.values(), *(parked.connection for parked in self._names)):
            sock.close()


@pytest.fixture
def lot() -> Iterator[Lot]:
    made = Lot(4)
    yield made
    made.end()


def test_the_oldest_go_first(lot: Lot) -> None:
    names = [lot.park("one") for _ in range(6)]
    assert lot.closed == names[:2]


def test_nobody_pays_for_what_another_project_or_peer_holds(lot: Lot) -> None:
    lot.park("quiet")
    lot.park("busy", "10.0.0.1")
    many = [lot.park("busy", "10.0.0.2") for _ in range(5)]
    assert lot.closed == many[:3]


def test_without_descriptors_those_that_wait_for_nobody_go_first(lot: Lot) -> None:
    names = [lot.park("one") for _ in range(3)]
    lot.clients[names[1]].close()
    failed = ReleaseError("cannot be started")
    failed.__cause__ = OSError(errno.EMFILE, "Too many open files")
    lot.parking.relieve(failed)
    assert lot.closed[0] == names[1]
    assert sorted(lot.closed) == sorted(names), f"a start takes up to {SPARE}"


def test_other_errors_cost_nobody_a_connection(lot: Lot) -> None:
    lot.park("one")
    lot.parking.relieve(OSError(errno.ENOSPC, "No space left on device"))
    assert not lot.closed
