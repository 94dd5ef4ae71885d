"""Passes connections from one worker to the next, and holds them while no worker runs.

All workers of a project share a socket pair over which they hand keep-alive connections to each other
(homeport_runtime.hosts.handover). When the last worker ends, the supervisor takes the connections from it and watches
them: the next request on any of them starts a worker, as a new connection would, and the worker gets them all. The
master keeps them meanwhile, so that they outlive the supervisor's process.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence

from .descriptor_store import CROWDED
from .kept import KeptProject
from .parking import Parked, Parking

# The seconds until connections are passed on again that did not fit between two reads.
RETRY_S = 0.05


class Exchange:
    """Is a project's exchange; every worker gets its `ends`, the first to pass connections on, the second
    to take them.
    """

    def __init__(
        self, project: str, parking: Parking, kept: KeptProject, ends: tuple[socket.socket, socket.socket]
    ) -> None:
        self.ends = ends
        for end in self.ends:
            end.setblocking(False)
        self._project = project
        self._parking = parking
        self._kept = kept
        # With the name under which each is kept.
        self._parked: dict[Parked, str] = {}
        self._on_request: Callable[[], None] | None = None

    def watch(self, on_request: Callable[[], None]) -> None:
        """Calls `on_request` when a request arrives on a waiting connection, while no worker runs."""
        loop = asyncio.get_running_loop()
        self._on_request = on_request
        loop.add_reader(self.ends[1].fileno(), self._take)
        for parked in self._parked:
            loop.add_reader(parked.connection.fileno(), self._readable, parked)

    def collect(self) -> None:
        """Takes in the connections of workers that leave before others follow, and does not watch them."""
        asyncio.get_running_loop().add_reader(self.ends[1].fileno(), self._take)

    def unwatch(self) -> None:
        """Stops taking connections in, because a worker is about to take them."""
        loop = asyncio.get_running_loop()
        self._on_request = None
        loop.remove_reader(self.ends[1].fileno())
        for parked in self._parked:
            loop.remove_reader(parked.connection.fileno())

    def release(self) -> None:
        """Passes all waiting connections on to the workers."""
        for parked, name in list(self._parked.items()):
            # It is dropped first: a connection that the next control plane got, too, would have two readers.
            self._kept.drop_connection(name)
            if self._kept.is_behind or not self._pass_on(parked):
                self._parked[parked] = self._kept.keep_connection(parked.descriptors)
                asyncio.get_running_loop().call_later(RETRY_S, self.release)
                return
            self._forget(parked)

    def _pass_on(self, parked: Parked) -> bool:
        """Passes a connection on, and returns False if it does not fit now."""
        try:
            socket.send_fds(self.ends[0], [b"\0"], parked.descriptors)
        except OSError as error:
            if error.errno not in CROWDED:
                raise
            return False
        return True

    def close(self) -> None:
        """Closes all waiting connections, and those on their way."""
        for parked in list(self._parked):
            self._drop(parked)
        for end in self.ends:
            end.close()

    def _take(self) -> None:
        # Room is made first, since the system closes a connection for which there is no descriptor.
        self._parking.make_room()
        try:
            _byte, descriptors, _flags, _address = socket.recv_fds(self.ends[1], 1, 2)
        except BlockingIOError:
            return
        if descriptors:
            self._park(descriptors, self._kept.keep_connection(descriptors))

    def take_kept(self) -> None:
        """Takes over the connections that waited in the last control plane."""
        for kept in self._kept.take_connections():
            self._parking.make_room()
            self._park(kept.descriptors, kept.name)

    def _park(self, descriptors: Sequence[int], name: str) -> None:
        """Holds a connection that no worker has, with the descriptors that belong to it."""
        descriptor, *told = descriptors
        connection = socket.socket(fileno=descriptor)
        connection.setblocking(False)
        parked = Parked(connection, (self._project, _peer(connection)), self._drop, tuple(told))
        self._parked[parked] = name
        self._parking.enter(parked)
        if self._on_request is not None:
            asyncio.get_running_loop().add_reader(connection.fileno(), self._readable, parked)

    def _readable(self, parked: Parked) -> None:
        """Handles a request on a waiting connection, or its end."""
        if parked.is_gone():
            self._drop(parked)
        elif self._on_request is not None:
            self._on_request()

    def _drop(self, parked: Parked) -> None:
        self._kept.drop_connection(self._parked[parked])
        self._forget(parked)

    def _forget(self, parked: Parked) -> None:
        asyncio.get_running_loop().remove_reader(parked.connection.fileno())
        del self._parked[parked]
        self._parking.leave(parked)
        parked.connection.close()
        for descriptor in parked.told:
            os.close(descriptor)


def _peer(connection: socket.socket) -> str:
    """Returns the address of a client, empty if it has gone."""
    try:
        address = connection.getpeername()
    except OSError:
        return ""
    return str(address[0]) if isinstance(address, tuple) else ""
