"""Connections on their way from one worker to the next, and those that wait while no worker runs.

All workers of a project share a socket pair over which they hand keep-alive connections to each other
(homeport_runtime.hosts.handover). When the last worker ends, the supervisor takes what it gave and watches it: the
next request on any of these connections starts a worker, as a new connection would, and the worker gets them all.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable

from .descriptor_store import CROWDED
from .parking import Parked, Parking

# Seconds until connections are given again that did not fit between two reads.
RETRY_S = 0.05


class Exchange:
    """`ends` are handed to every worker: connections are given into the first and taken out of the second."""

    def __init__(self, project: str, parking: Parking, ends: tuple[socket.socket, socket.socket]) -> None:
        self.ends = ends
        for end in self.ends:
            end.setblocking(False)
        self._project = project
        self._parking = parking
        self._parked: dict[Parked, None] = {}
        self._on_request: Callable[[], None] | None = None

    def watch(self, on_request: Callable[[], None]) -> None:
        """No worker runs: `on_request` is called when a request arrives on a connection that one left."""
        loop = asyncio.get_running_loop()
        self._on_request = on_request
        loop.add_reader(self.ends[1].fileno(), self._take)
        for parked in self._parked:
            loop.add_reader(parked.connection.fileno(), self._readable, parked)

    def collect(self) -> None:
        """Workers leave and none follows yet: what they give waits here, whatever is asked on it."""
        asyncio.get_running_loop().add_reader(self.ends[1].fileno(), self._take)

    def unwatch(self) -> None:
        """A worker is about to run: it takes what is given from here on."""
        loop = asyncio.get_running_loop()
        self._on_request = None
        loop.remove_reader(self.ends[1].fileno())
        for parked in self._parked:
            loop.remove_reader(parked.connection.fileno())

    def release(self) -> None:
        """Gives the workers everything that waited here."""
        for parked in list(self._parked):
            try:
                socket.send_fds(self.ends[0], [b"\0"], [parked.connection.fileno(), *parked.told])
            except OSError as error:
                if error.errno not in CROWDED:
                    raise
                asyncio.get_running_loop().call_later(RETRY_S, self.release)
                return
            self._drop(parked)

    @property
    def parked(self) -> list[tuple[int, ...]]:
        """The descriptors of what waits here: a connection, and what goes with it."""
        return [(parked.connection.fileno(), *parked.told) for parked in self._parked]

    def close(self) -> None:
        """Closes everything that waits, and what is on its way."""
        for parked in list(self._parked):
            self._drop(parked)
        for end in self.ends:
            end.close()

    def _take(self) -> None:
        # Before, not after: the system closes a connection for which there is no descriptor.
        self._parking.make_room()
        try:
            _byte, descriptors, _flags, _address = socket.recv_fds(self.ends[1], 1, 2)
        except BlockingIOError:
            return
        if descriptors:
            self.park(*descriptors)

    def park(self, descriptor: int, *told: int) -> None:
        """Takes a connection that no worker has, with what goes with it."""
        connection = socket.socket(fileno=descriptor)
        connection.setblocking(False)
        parked = Parked(connection, (self._project, _peer(connection)), self._drop, told)
        self._parked[parked] = None
        self._parking.enter(parked)
        if self._on_request is not None:
            asyncio.get_running_loop().add_reader(connection.fileno(), self._readable, parked)

    def _readable(self, parked: Parked) -> None:
        """A request, or the client's end of the connection."""
        if parked.is_gone():
            self._drop(parked)
        elif self._on_request is not None:
            self._on_request()

    def _drop(self, parked: Parked) -> None:
        asyncio.get_running_loop().remove_reader(parked.connection.fileno())
        del self._parked[parked]
        self._parking.leave(parked)
        parked.connection.close()
        for descriptor in parked.told:
            os.close(descriptor)


def _peer(connection: socket.socket) -> str:
    """The address of a client; none where it has gone already."""
    try:
        address = connection.getpeername()
    except OSError:
        return ""
    return str(address[0]) if isinstance(address, tuple) else ""
