"""Holds the two places at which a project's connections arrive: its listening socket, and its workers' exchange.

While no worker runs both are watched: a connection waits in the kernel until the watcher has started a worker.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from .exchange import Exchange
from .kept import KeptProject
from .parking import Parking
from .sockets import open_listener


class Entrance:
    """Holds the sockets that the last control plane has left, or new ones."""

    def __init__(self, project: str, port: int, parking: Parking, kept: KeptProject) -> None:
        self._port = port
        self._kept = kept
        self._listener: socket.socket | None = None
        sockets = kept.take_sockets()
        # Open until it is known whether the project can serve.
        self._inherited: socket.socket | None = sockets[0] if sockets else None
        self._exchange = Exchange(project, parking, kept, sockets[1] if sockets else socket.socketpair())
        self._is_watched = False

    @property
    def is_open(self) -> bool:
        return self._listener is not None

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """Returns the sockets on which a worker accepts, and over which it hands connections over."""
        return (*([self._listener] if self._listener else []), *self._exchange.ends)

    def open(self, listener: socket.socket | None = None) -> None:
        """Takes the listening socket, or opens it on the project's port.

        Raises PlatformError if another program has the port.
        """
        self._listener = listener or self._inherited or open_listener(self._port)
        self._inherited = None
        self._kept.keep_sockets(self._listener, self._exchange.ends)

    def watch(self, on_request: Callable[[], None]) -> None:
        """Calls `on_request` when a client connects, or sends something on a waiting connection, while no worker runs.

        It does nothing while the entrance is not open, or is watched already.
        """
        if self._listener is not None and not self._is_watched:
            self._is_watched = True
            asyncio.get_running_loop().add_reader(self._listener.fileno(), on_request)
            self._exchange.watch(on_request)

    def unwatch(self) -> None:
        if self._is_watched and self._listener is not None:
            self._is_watched = False
            asyncio.get_running_loop().remove_reader(self._listener.fileno())
            self._exchange.unwatch()

    def collect(self) -> None:
        """Takes in the connections of workers that leave before others follow."""
        self._exchange.collect()

    def end_collecting(self) -> None:
        self._exchange.unwatch()

    def release(self) -> None:
        """Gives the waiting connections to the workers."""
        self._exchange.release()

    def take_parked(self) -> None:
        """Takes over the connections that waited in the last control plane."""
        self._exchange.take_kept()

    def give_up_sockets(self) -> None:
        for listener in (self._listener, self._inherited):
            if listener is not None:
                listener.close()
        self._listener = self._inherited = None
        self._kept.drop_sockets()

    def close(self) -> None:
        self.give_up_sockets()
        self._exchange.close()
