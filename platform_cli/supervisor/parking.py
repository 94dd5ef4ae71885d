"""Limits the waiting connections of all sleeping projects to what the platform has descriptors for.

Each connection that a worker leaves takes a descriptor of the control plane, which needs some to start the next worker.
Beyond the limit the oldest connections of whoever holds most are closed first, so that nobody pays for another.
"""

from __future__ import annotations

import errno
import socket
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from .open_files import raise_open_files

# The descriptors that are freed when the system has refused one: more than a worker's start needs.
SPARE = 32


@dataclass(frozen=True, slots=True, eq=False)
class Parked:
    """Is a connection that waits.

    `owner` is its project and the address of its peer; `close` gives it up; `told` are descriptors that belong to it.
    """

    connection: socket.socket
    owner: tuple[str, str]
    close: Callable[[Parked], None]
    told: tuple[int, ...] = ()

    @property
    def descriptors(self) -> tuple[int, ...]:
        """Returns the connection's own descriptor, and those that belong to it."""
        return (self.connection.fileno(), *self.told)

    def is_gone(self) -> bool:
        """Tells whether its client has closed it, without reading anything."""
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True


class Parking:
    """Holds up to `most` connections at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._owned: defaultdict[tuple[str, str], dict[Parked, None]] = defaultdict(dict)

    def enter(self, parked: Parked) -> None:
        self._owned[parked.owner][parked] = None
        self._count += 1

    def leave(self, parked: Parked) -> None:
        owned = self._owned[parked.owner]
        del owned[parked]
        if not owned:
            del self._owned[parked.owner]
        self._count -= 1

    def make_room(self, spare: int = 2) -> None:
        """Closes connections beyond `most`, so that `spare` more fit."""
        self._shrink(self._most - spare)

    def relieve(self, error: BaseException) -> None:
        """Frees descriptors if `error` says that there are none left: of connections whose clients are gone, else of
        others.
        """
        if not is_out_of_descriptors(error):
            return
        before = self._count
        for parked in [each for owned in self._owned.values() for each in owned]:
            if parked.is_gone():
                parked.close(parked)
        self._shrink(before - SPARE)

    def _shrink(self, count: int) -> None:
        while self._owned and self._count > count:
            most = max(self._owned.values(), key=len)
            oldest = next(iter(most))
            oldest.close(oldest)


def open_parking() -> Parking:
    """Returns a parking for half of the descriptors that this process may have, once its limit is raised."""
    return Parking(raise_open_files() // 2)


def is_out_of_descriptors(error: BaseException | None) -> bool:
    """Tells whether `error`, or one of its causes, says that there are no descriptors left."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            return True
        error = error.__cause__
    return False
