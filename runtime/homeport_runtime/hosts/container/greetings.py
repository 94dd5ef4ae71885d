"""Tells connections to a published port apart by their first lines: every user of the machine may connect to it."""

from __future__ import annotations

import contextlib
import hmac
import math
import re
import selectors
import socket
import time
from collections.abc import Collection

# The seconds in which a connection has to say what it is for, and those for which it waits then to be asked for.
GREETING_S = 2.0
ARRIVAL_S = 8.0
MAX_GREETING = 256
# The connections that wait at once: one more ends the oldest.
MAX_WAITING = 64


class _Greeting:
    """Is a connection with as much of its first line as has come."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.deadline = time.monotonic() + GREETING_S
        self.line = b""

    @property
    def is_whole(self) -> bool:
        return self.line.endswith(b"\n")

    def read(self) -> None:
        """Reads what has come of the line, and nothing beyond it.

        Raises OSError if it will never be whole.
        """
        with contextlib.suppress(BlockingIOError):
            while not self.is_whole:
                byte = self.connection.recv(1)
                if not byte or len(self.line) == MAX_GREETING:
                    raise ConnectionError("no greeting")
                self.line += byte
            self.deadline = time.monotonic() + ARRIVAL_S


class Greetings:
    """Accepts the connections to a listener and reads them beside each other, so that whoever says nothing holds up
    nobody.

    It keeps those whose lines are like `later`, which may be asked for next, and closes others that were not asked for.
    """

    def __init__(self, listener: socket.socket, later: re.Pattern[bytes]) -> None:
        listener.setblocking(False)
        self._later = later
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        # The oldest is the first.
        self._waiting: list[_Greeting] = []

    def of(self, expected: Collection[str], patience_s: float = math.inf) -> dict[str, socket.socket]:
        """Returns the connections whose first lines are those `expected`, fewer if they do not come in time."""
        end = time.monotonic() + patience_s
        found: dict[str, socket.socket] = {}
        while True:
            for line in expected:
                if line not in found and (connection := self._taken(line)) is not None:
                    found[line] = connection
            for greeting in list(self._waiting):
                if greeting.is_whole and not self._later.fullmatch(greeting.line):
                    self._drop(greeting)
            if len(found) == len(expected) or time.monotonic() >= end:
                return found
            self._take_in(end)

    def _taken(self, line: str) -> socket.socket | None:
        for greeting in self._waiting:
            if hmac.compare_digest(greeting.line, f"{line}\n".encode()):
                self._waiting.remove(greeting)
                greeting.connection.setblocking(True)
                greeting.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return greeting.connection
        return None

    def _take_in(self, end: float) -> None:
        """Waits until something is said, at most until `end`, and accepts one more connection."""
        left = max(min([end, *(each.deadline for each in self._waiting)]) - time.monotonic(), 0.0)
        ready = {key.fileobj for key, _ in self._selector.select(None if math.isinf(left) else left)}
        for greeting in list(self._waiting):
            if greeting.connection in ready:
                try:
                    greeting.read()
                except OSError:
                    self._drop(greeting)
                    continue
                if greeting.is_whole:
                    self._selector.unregister(greeting.connection)
            if greeting.deadline <= time.monotonic():
                self._drop(greeting)
        if self._listener in ready:
            self._accept()

    def _accept(self) -> None:
        # Who has connected may be gone.
        with contextlib.suppress(BlockingIOError, ConnectionError):
            connection, _address = self._listener.accept()
            if len(self._waiting) == MAX_WAITING:
                self._drop(self._waiting[0])
            self._waiting.append(_Greeting(connection))
            self._selector.register(connection, selectors.EVENT_READ)

    def _drop(self, greeting: _Greeting) -> None:
        self._waiting.remove(greeting)
        if not greeting.is_whole:
            self._selector.unregister(greeting.connection)
        greeting.connection.close()

    def close(self) -> None:
        """Closes them in this process alone, which may be a fork."""
        self._selector.close()
        self._listener.close()
        for greeting in self._waiting:
            greeting.connection.close()
