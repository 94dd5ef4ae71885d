"""Runs a layer's zygote in a container of an engine that passes no descriptors over sockets in mounted folders.

What would be passed are connections to the container's published ports: the first is the supervisor's, and each worker
gets three for its control channel and output. It accepts on a port of its own.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import socket
import sys
import time
from collections.abc import Sequence
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
ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - a container's network is its own


def main(key: str, ports: Sequence[str], root: Path = Path("/"), address: str = ANY_ADDRESS) -> None:
    """Carries out the orders of whoever connects to the first of `ports` and shows the key in the file `key`.

    Workers accept on the others, one on each.
    """
    keep_memory_private()
    os.environ["HOME"] = str(Layout(root).home)
    orders, *serving = map(int, ports)
    listener = _listening(address, orders)
    while (supervisor := _greeted(listener, {f"{Path(key).read_text()} orders"})) is None:
        """Somebody else has connected."""
    # A published port takes connections before anybody listens behind it.
    supervisor[1].sendall(b"\n")
    PublishedZygote(supervisor[1], root, listener, address, serving).run()


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
        expected, found = {f"{word} {role}": role for role in ROLES}, {}
        deadline = time.monotonic() + ARRIVAL_S
        while expected and (left := deadline - time.monotonic()) > 0:
            self._listener.settimeout(left)
            with contextlib.suppress(TimeoutError):
                if (greeted := _greeted(self._listener, set(expected))) is not None:
                    found[expected.pop(greeted[0])] = greeted[1]
        return found

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


def _greeted(listener: socket.socket, expected: set[str]) -> tuple[str, socket.socket] | None:
    """Accepts a connection, and returns it with its first line, None if that is not one of those expected."""
    connection, _address = listener.accept()
    line, deadline = b"", time.monotonic() + GREETING_S
    with contextlib.suppress(OSError):
        while not line.endswith(b"\n") and len(line) < MAX_GREETING and (left := deadline - time.monotonic()) > 0:
            connection.settimeout(left)
            if not (byte := connection.recv(1)):
                break
            line += byte
    for each in expected:
        if hmac.compare_digest(line, f"{each}\n".encode()):
            connection.settimeout(None)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return each, connection
    connection.close()
    return None
