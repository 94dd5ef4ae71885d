"""Tests the greeting of a container's published ports, which every user of the machine can connect to."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack

import pytest

from homeport_runtime.hosts.container import published


def test_a_stranger_who_is_slow_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "GREETING_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as slow:
        sent: list[bytes] = []

        def send() -> None:
            try:
                while len(sent) <= published.MAX_GREETING:
                    slow.sendall(b"a")
                    sent.append(b"a")
                    time.sleep(0.05)
            except OSError:
                """It was closed."""

        sending = threading.Thread(target=send)
        sending.start()
        assert published._greeted(listener, ("the-key orders",), 1.0) == {}
        sending.join()
        assert len(sent) < published.MAX_GREETING


def test_strangers_who_are_silent_hold_up_nobody() -> None:
    with ExitStack() as stack, socket.create_server(("127.0.0.1", 0)) as listener:

        def connected() -> socket.socket:
            return stack.enter_context(socket.create_connection(listener.getsockname()))

        for _ in range(published.MAX_WAITING + 10):
            connected()
        expected = [f"word {role}" for role in published.ROLES]
        for line in ("other control", *expected):
            connected().sendall(f"{line}\nafter".encode())
        found = published._greeted(listener, expected)
        assert sorted(found) == sorted(expected)
        for connection in found.values():
            with connection:
                assert connection.recv(5, socket.MSG_WAITALL) == b"after"
