"""Opens the listening sockets of projects, on loopback and on a port that stays the project's own."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
from collections.abc import Container
from pathlib import Path

from ..errors import PlatformError

HOST = "127.0.0.1"
# Below the ephemeral ranges of Linux (32768) and macOS (49152), so that no outgoing connection ever uses one of these.
FIRST_PORT = 8700
LAST_PORT = 18699
BACKLOG = 1024


def open_listener(port: int) -> socket.socket:
    """Listens on the project's port.

    Raises PlatformError if another program has it.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise PlatformError(
                f"port {port} is taken by another program",
                hint=f"stop that program (see `ss -ltnp 'sport = :{port}'` or `lsof -i :{port}`): "
                "the project answers again as soon as the port is free",
            ) from error
        raise
    return listener


def first_port(home: Path) -> int:
    """Returns the port from which a home searches, far from other homes, so that they seldom use each other's."""
    digest = hashlib.sha256(os.fsencode(home)).digest()
    return FIRST_PORT + int.from_bytes(digest[:4], "big") % (LAST_PORT - FIRST_PORT + 1)


def open_new_listener(taken: Container[int], first: int = FIRST_PORT) -> tuple[int, socket.socket]:
    """Listens on the first free port, from `first` on and around, that no project owns.

    Raises PlatformError if there is none.
    """
    for port in (*range(first, LAST_PORT + 1), *range(FIRST_PORT, first)):
        if port in taken:
            continue
        try:
            return port, open_listener(port)
        except PlatformError:
            continue
    raise PlatformError(
        f"no free port between {FIRST_PORT} and {LAST_PORT}", hint="destroy projects that are not needed any more"
    )
