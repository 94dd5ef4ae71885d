"""Tests the greeting of a container's published ports, which every user of the machine can connect to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from homeport_runtime.hosts.container import greetings
from homeport_runtime.hosts.container.agreed import ROLES
from homeport_runtime.hosts.container.greetings import Greetings
from homeport_runtime.hosts.container.published import ORDERED

MINE, OTHERS = ([f"{word} {role}" for role in ROLES] for word in ("a" * 32, "b" * 32))


class Door:
    """Is a port with what has connected to it."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.greetings = stack.enter_context(closing(Greetings(self._listener, ORDERED)))

    def connected(self, said: str = "") -> socket.socket:
        made = self._stack.enter_context(socket.create_connection(self._listener.getsockname()))
        made.sendall(said.encode())
        return made


@pytest.fixture
def door() -> Iterator[Door]:
    with ExitStack() as stack:
        yield Door(stack)


def test_a_stranger_who_is_slow_is_sent_away(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greetings, "GREETING_S", 0.2)
    slow = door.connected()
    sent: list[bytes] = []

    def send() -> None:
        try:
            while len(sent) <= greetings.MAX_GREETING:
                slow.sendall(b"a")
                sent.append(b"a")
                time.sleep(0.05)
        except OSError:
            """It was closed."""

    sending = threading.Thread(target=send)
    sending.start()
    assert door.greetings.of(("the-key orders",), 1.0) == {}
    sending.join()
    assert len(sent) < greetings.MAX_GREETING


def test_strangers_who_are_silent_hold_up_nobody(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greetings, "GREETING_S", 3600.0)
    for _ in range(greetings.MAX_WAITING + 10):
        door.connected()
    for line in MINE:
        door.connected(f"{line}\nafter")
    found = door.greetings.of(MINE)
    assert sorted(found) == sorted(MINE)
    for connection in found.values():
        with connection:
            assert connection.recv(5, socket.MSG_WAITALL) == b"after"


def test_what_belongs_to_the_next_order_is_kept_for_it(door: Door) -> None:
    for line in (*OTHERS, *MINE):
        door.connected(f"{line}\n")
    for order in (MINE, OTHERS):
        found = door.greetings.of(order)
        assert sorted(found) == sorted(order)
        for connection in found.values():
            connection.close()


def test_who_says_anything_else_is_sent_away(door: Door) -> None:
    stranger = door.connected("guessed orders\n")
    for line in MINE:
        door.connected(f"{line}\n")
    for connection in door.greetings.of(MINE).values():
        connection.close()
    stranger.settimeout(60)
    assert stranger.recv(1) == b""
