"""Runs a layer's zygote in a container of an engine that passes no descriptors over sockets in mounted folders.

What would be passed are connections to the container's published ports: the first is the supervisor's, and each worker
gets three for its control channel and output. It accepts on a port of its own.
"""

from __future__ import annotations

import contextlib
import hmac
import math
import os
import selectors
import socket
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from ..confinement import keep_memory_private
from .layout import Layout
from .zygote import ContainerZygote

# What the connections of a worker are for, in the order in which a zygote passes descriptors on.
ROLES = ("control", "stdout", "stderr")
# The connections that wait to be accepted.
BACKLOG = 1024
# The seconds in which a connection has to say what it is for, and in which a worker's have to come.
GREETING_S = 2.0
ARRIVAL_S = 8.0
MAX_GREETING = 256
# The connections that may be greeting at once: one more ends the oldest.
MAX_WAITING = 64
ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - a container's network is its own


def main(key: str, ports: Sequence[str], root: Path = Path("/"), address: str = ANY_ADDRESS) -> None:
    """Carries out the orders of whoever connects to the first of `ports` and shows the key in the file `key`.

    Workers accept on the others, one on each.
    """
    keep_memory_private()
    os.environ["HOME"] = str(Layout(root).home)
    orders, *serving = map(int, ports)
    listener = _listening(address, orders)
    (supervisor,) = _greeted(listener, (f"{Path(key).read_text()} orders",)).values()
    # A published port takes connections before anybody listens behind it.
    supervisor.sendall(b"\n")
    PublishedZygote(supervisor, root, listener, address, serving).run()


class PublishedZygote(ContainerZygote):
    """Takes connections to `listener` in place of descriptors, each with the word of the order that it belongs to."""

    def __init__(
        self, supervisor: socket.socket, root: Path, listener: socket.socket, address: str, ports: Sequence[int]
    ) -> None:
        super().__init__(supervisor, root)
        self._listener = listener
        self._address = address
        self._ports = ports

    def _fork(self, order: dict[str, Any], _descriptors: list[int]) -> None:
        found = self._arrived(order["word"])
        sockets = self._serving(found["control"]) if order["serves"] and len(found) == len(ROLES) else []
        connections = [found[role] for role in ROLES if role in found]
        super()._fork(order, [each.detach() for each in (*connections, *sockets)])

    def _arrived(self, word: str) -> dict[str, socket.socket]:
        """Returns the connections that belong to an order, fewer than were expected if they do not come in time."""
        lines = {f"{word} {role}": role for role in ROLES}
        return {lines[line]: found for line, found in _greeted(self._listener, lines, ARRIVAL_S).items()}

    def _serving(self, control: socket.socket) -> list[socket.socket]:
        """Returns the sockets of a worker that serves, and says on its control channel which port is its own."""
        for port in self._ports:
            with contextlib.suppress(OSError):
                listener = _listening(self._address, port)
                control.sendall(b"%d\n" % port)
                return [listener, *socket.socketpair()]
        # Its process ends, and the platform starts another.
        sys.stderr.write("all ports of the container are in use\n")
        return []

    def close(self) -> None:
        super().close()
        self._listener.close()


def _listening(address: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


class _Greeting:
    """Is a connection that has not said yet what it is for."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.deadline = time.monotonic() + GREETING_S
        self._line = b""

    def said(self) -> bytes | None:
        """Returns the first line, None as long as it is not whole; raises OSError if it will never be."""
        # What follows the line is not the greeting's.
        while not self._line.endswith(b"\n"):
            try:
                byte = self.connection.recv(1)
            except BlockingIOError:
                return None
            if not byte or len(self._line) == MAX_GREETING:
                raise ConnectionError("no greeting")
            self._line += byte
        return self._line[:-1]


def _greeted(
    listener: socket.socket, expected: Collection[str], patience_s: float = math.inf
) -> dict[str, socket.socket]:
    """Returns connections by their first lines, which are those `expected`, fewer if they do not come in time.

    Others are read beside them and closed, so that whoever connects and says nothing holds up nobody.
    """
    listener.setblocking(False)
    end = time.monotonic() + patience_s
    found: dict[str, socket.socket] = {}
    with closing(_Waiting(listener)) as waiting:
        while len(found) < len(expected) and time.monotonic() < end:
            for line, connection in waiting.lines(end):
                known = next((each for each in expected if hmac.compare_digest(line, each.encode())), None)
                if known is None or known in found:
                    connection.close()
                    continue
                connection.setblocking(True)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                found[known] = connection
    return found


class _Waiting:
    """Holds the connections to a listener whose greeting is not whole."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        # The oldest is the first.
        self._greetings: dict[socket.socket, _Greeting] = {}

    def lines(self, end: float) -> Iterator[tuple[bytes, socket.socket]]:
        """Yields what is said next, by `end` or earlier, and takes one more connection."""
        first = min((each.deadline for each in self._greetings.values()), default=end)
        wait_s = max(min(first, end) - time.monotonic(), 0.0)
        ready = {key.fileobj for key, _ in self._selector.select(None if math.isinf(wait_s) else wait_s)}
        for connection, greeting in list(self._greetings.items()):
            try:
                line = greeting.said() if connection in ready else None
            except OSError:
                self._drop(connection).close()
                continue
            if line is not None:
                yield line, self._drop(connection)
            elif greeting.deadline <= time.monotonic():
                self._drop(connection).close()
        if self._listener in ready:
            self._accept()

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            connection, _address = self._listener.accept()
            if len(self._greetings) == MAX_WAITING:
                self._drop(next(iter(self._greetings))).close()
            self._greetings[connection] = _Greeting(connection)
            self._selector.register(connection, selectors.EVENT_READ)

    def _drop(self, connection: socket.socket) -> socket.socket:
        del self._greetings[connection]
        self._selector.unregister(connection)
        return connection

    def close(self) -> None:
        self._selector.close()
        for connection in self._greetings:
            connection.close()
