"""Implements the control channel between a worker and the supervisor: JSON, one object a line, over a socket pair."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any


class Channel:
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._file = sock.makefile("rb")
        self._lock = threading.Lock()

    def send(self, **message: Any) -> None:
        """Sends a message; if the supervisor is gone this does nothing, since the worker notices by the end of the
        channel.
        """
        data = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        try:
            with self._lock:
                self._sock.sendall(data)
        except OSError:
            return

    def receive(self) -> dict[str, Any] | None:
        """Waits for the next message and returns it; None when the supervisor is gone."""
        try:
            line = self._file.readline()
        except OSError:
            return None
        if not line.endswith(b"\n"):
            return None
        message: dict[str, Any] = json.loads(line)
        return message
