"""Identifies the process at the other end of the Unix socket: a deployed server must not command its platform."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
from collections.abc import Callable, Collection
from pathlib import Path

from uvicorn.protocols.http.h11_impl import H11Protocol

# <sys/un.h> of macOS: LOCAL_PEERPID at the level SOL_LOCAL.
_SOL_LOCAL, _LOCAL_PEERPID = 0, 2


def refuse_workers(workers: Callable[[], Collection[int]]) -> type[H11Protocol]:
    """Returns uvicorn's protocol, which closes connections of the processes in `workers` and of all that they have
    started.

    On Linux those have a filter of system calls that they cannot remove (homeport_runtime.hosts.seccomp), whatever
    their session or parent is now; elsewhere they are known by the session that a worker leads. On Linux a process that
    has ended since it connected is refused, too, since it cannot be identified any more.
    """
    own = _filters(os.getpid())

    class PeerProtocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            pid = _peer_pid(transport.get_extra_info("socket"))
            if pid is not None and (_session(pid) in workers() or _filters(pid) > own):
                transport.abort()

    return PeerProtocol


def _filters(pid: int) -> float:
    """Returns how many filters of system calls a process has, infinity if it has ended.

    Kernels before 5.9 only tell whether it has any.
    """
    if sys.platform != "linux":
        return 0
    try:
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return int(fields.get("Seccomp_filters") or fields["Seccomp"])
    except (OSError, KeyError, ValueError):
        return float("inf")


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
