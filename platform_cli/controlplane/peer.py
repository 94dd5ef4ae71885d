"""Who is at the other end of the Unix socket: a deployed server may not command the platform that runs it."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
from collections.abc import Callable, Collection

from uvicorn.protocols.http.h11_impl import H11Protocol

# <sys/un.h> of macOS: LOCAL_PEERPID at the level SOL_LOCAL.
_SOL_LOCAL, _LOCAL_PEERPID = 0, 2


def refuse_workers(workers: Callable[[], Collection[int]]) -> type[H11Protocol]:
    """uvicorn's protocol, closing connections of the processes in `workers` and of all that belong to their sessions.

    A worker leads its own session (setsid), so a program that it starts is known by that.
    """

    class PeerProtocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            pid = _peer_pid(transport.get_extra_info("socket"))
            if pid is not None and _session(pid) in workers():
                transport.abort()

    return PeerProtocol


def _peer_pid(connection: socket.socket) -> int | None:
    try:
        if sys.platform == "linux":
            size = struct.calcsize("3i")
            return int(struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[0])
        return connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID)
    except OSError:
        return None


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None
