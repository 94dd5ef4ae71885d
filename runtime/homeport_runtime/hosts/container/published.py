"""Runs a layer's zygote in a container of an engine that passes no descriptors over sockets in mounted folders.

What would be passed are connections to the container's published ports: the first is the supervisor's, and each worker
gets three for its control channel and output. It accepts on a port of its own.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..confinement import keep_memory_private
from .agreed import ROLES
from .greetings import ARRIVAL_S, Greetings
from .layout import Layout
from .zygote import ContainerZygote

# What a worker's connections say, the word of an order and a role.
ORDERED = re.compile(rb"[0-9a-f]{32} (control|stdout|stderr)\n")
# The connections that wait to be accepted.
BACKLOG = 1024
ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - a container's network is its own


def main(key: str, ports: Sequence[str], root: Path = Path("/"), address: str = ANY_ADDRESS) -> None:
    """Carries out the orders of whoever connects to the first of `ports` and shows the key in the file `key`.

    Workers accept on the others, one on each.
    """
    keep_memory_private()
    os.environ["HOME"] = str(Layout(root).home)
    orders, *serving = map(int, ports)
    greetings = Greetings(_listening(address, orders), ORDERED)
    (supervisor,) = greetings.of((f"{Path(key).read_text()} orders",)).values()
    # A published port takes connections before anybody listens behind it.
    supervisor.sendall(b"\n")
    PublishedZygote(supervisor, root, greetings, address, serving).run()


class PublishedZygote(ContainerZygote):
    """Takes connections in place of descriptors, each with the word of the order that it belongs to."""

    def __init__(
        self, supervisor: socket.socket, root: Path, greetings: Greetings, address: str, ports: Sequence[int]
    ) -> None:
        super().__init__(supervisor, root)
        self._greetings = greetings
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
        return {lines[line]: found for line, found in self._greetings.of(lines, ARRIVAL_S).items()}

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
        self._greetings.close()


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
