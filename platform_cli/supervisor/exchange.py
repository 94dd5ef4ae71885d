"""Connections on their way from one worker to the next, and those that wait while no worker runs.

All workers of a project share a socket pair over which they hand keep-alive connections to each other
(homeport_runtime.hosts.handover). When the last worker ends, the supervisor takes what it gave and watches it: the
next request on any of these connections starts a worker, as a new connection would, and the worker gets them all.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

# Seconds until connections are given again that did not fit between two reads.
RETRY_S = 0.05


class Exchange:
    """`ends` are handed to every worker: connections are given into the first and taken out of the second."""

    def __init__(self) -> None:
        self.ends = socket.socketpair()
        for end in self.ends:
            end.setblocking(False)
        self._parked: dict[int, socket.socket] = {}
        self._on_request: Callable[[], None] | None = None

    def watch(self, on_request: Callable[[], None]) -> None:
        """No worker runs: `on_request` is called when a request arrives on a connection that one left."""
        loop = asyncio.get_running_loop()
        self._on_request = on_request
        loop.add_reader(self.ends[1].fileno(), self._take)
        for connection in self._parked.values():
            loop.add_reader(connection.fileno(), self._readable, connection)

    def collect(self) -> None:
        """Workers leave and none follows yet: what they give waits here, whatever is asked on it."""
        asyncio.get_running_loop().add_reader(self.ends[1].fileno(), self._take)

    def unwatch(self) -> None:
        """A worker is about to run: it takes what is given from here on."""
        loop = asyncio.get_running_loop()
        self._on_request = None
        loop.remove_reader(self.ends[1].fileno())
        for connection in self._parked.values():
            loop.remove_reader(connection.fileno())

    def release(self) -> None:
        """Gives the workers everything that waited here."""
        for connection in list(self._parked.values()):
            try:
                socket.send_fds(self.ends[0], [b"\0"], [connection.fileno()])
            except BlockingIOError:
                asyncio.get_running_loop().call_later(RETRY_S, self.release)
                return
            self._drop(connection)

    def close(self) -> None:
        """Closes everything that waits, and what is on its way."""
        for connection in list(self._parked.values()):
            self._drop(connection)
        for end in self.ends:
            end.close()

    def _take(self) -> None:
        try:
            _byte, descriptors, _flags, _address = socket.recv_fds(self.ends[1], 1, 1)
        except BlockingIOError:
            return
        for descriptor in descriptors:
            connection = socket.socket(fileno=descriptor)
            connection.setblocking(False)
            self._parked[connection.fileno()] = connection
            if self._on_request is not None:
                asyncio.get_running_loop().add_reader(connection.fileno(), self._readable, connection)

    def _readable(self, connection: socket.socket) -> None:
        """A request, or the client's end of the connection."""
        try:
            gone = not connection.recv(1, socket.MSG_PEEK)
        except OSError:
            gone = True
        if gone:
            asyncio.get_running_loop().remove_reader(connection.fileno())
            self._drop(connection)
        elif self._on_request is not None:
            self._on_request()

    def _drop(self, connection: socket.socket) -> None:
        del self._parked[connection.fileno()]
        connection.close()
