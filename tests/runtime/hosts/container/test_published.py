"""Tests the greeting of a container's published ports, which every user of the machine can connect to."""

from __future__ import annotations

import socket
import threading
import time

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
        assert published._greeted(listener, {"the-key orders"}) is None
        sending.join()
        assert len(sent) < published.MAX_GREETING
