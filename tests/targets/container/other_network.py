"""Leads connections to this machine's loopback on into another network namespace."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

# From <linux/sched.h>.
CLONE_NEWNET = 0x40000000
CHUNK = 64 * 1024


class OtherNetwork:
    """Is the network namespace of the process `pid`."""

    def __init__(self, pid: int) -> None:
        network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
        # The namespace of a thread is its own.
        self._inside = ThreadPoolExecutor(1, initializer=_enter, initargs=(network,))
        self._listeners: dict[tuple[str, int], socket.socket] = {}

    def forwarded(self, host: str, port: int) -> int:
        """Returns the port of this machine's loopback that leads to an address there."""
        if (host, port) not in self._listeners:
            listener = self._listeners[host, port] = socket.create_server(("127.0.0.1", 0))
            threading.Thread(target=forward, args=(listener, self._connecting(host, port)), daemon=True).start()
        found: int = self._listeners[host, port].getsockname()[1]
        return found

    def close(self) -> None:
        for each in self._listeners.values():
            # Whoever waits for a connection wakes.
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._inside.shutdown()

    def _connecting(self, host: str, port: int) -> Callable[[], socket.socket]:
        return lambda: self._inside.submit(socket.create_connection, (host, port)).result()


def _enter(network: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(network, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "the network namespace cannot be entered")
    os.close(network)


def forward(listener: socket.socket, connect: Callable[[], socket.socket]) -> None:
    """Passes on what comes to `listener` until that is closed."""
    with contextlib.suppress(OSError):
        while True:
            here, _address = listener.accept()
            try:
                there = connect()
            except OSError:
                here.close()
                continue
            threading.Thread(target=_relay, args=(here, there), daemon=True).start()


def _relay(here: socket.socket, there: socket.socket) -> None:
    with here, there:
        asking = threading.Thread(target=_pump, args=(here, there), daemon=True)
        asking.start()
        _pump(there, here)
        # The engine has closed it.
        with contextlib.suppress(OSError):
            here.shutdown(socket.SHUT_RDWR)
        asking.join()


def _pump(reading: socket.socket, writing: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := reading.recv(CHUNK):
            writing.sendall(data)
    with contextlib.suppress(OSError):
        writing.shutdown(socket.SHUT_WR)
