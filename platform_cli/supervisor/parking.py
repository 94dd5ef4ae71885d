"""The connections of all sleeping projects, as many as the platform has descriptors for.

Each one that a worker leaves behind takes a descriptor of the control plane, which needs some to start the next worker.
So they are bounded, and nobody pays for what another holds: the oldest of whoever holds most are closed first.
"""

from __future__ import annotations

import errno
import socket
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from .open_files import raise_open_files

# Descriptors that are made free when the system has refused one: more than a worker's start takes.
SPARE = 32


@dataclass(frozen=True, slots=True, eq=False)
class Parked:
    """A connection that waits. `owner` is its project and the address of its peer; `close` gives it up; `told` are
    descriptors that go with it, for the next worker.
    """

    connection: socket.socket
    owner: tuple[str, str]
    close: Callable[[Parked], None]
    told: tuple[int, ...] = ()

    def is_gone(self) -> bool:
        """Whether its client has closed it. Reads nothing."""
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True


class Parking:
    """Holds `most` connections at a time."""

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
        """Closes what there is beyond `most`, with room for `spare` more."""
        self._shrink(self._most - spare)

    def relieve(self, error: BaseException) -> None:
        """Where `error` says that there are no descriptors left: gives up those that wait for nobody, or else some."""
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
    """Half of the descriptors that this process may have, once it has raised its limit to what the system allows."""
    return Parking(raise_open_files() // 2)


def is_out_of_descriptors(error: BaseException | None) -> bool:
    """Whether that is what `error` says, or what it was made from."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            return True
        error = error.__cause__
    return False
