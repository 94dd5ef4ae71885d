"""Tests how long a worker waits for a client that sends slowly, or does not read, with a clock of the test's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from homeport_runtime.hosts.http_connection import Progress, Turn
from homeport_runtime.hosts.patience import MOST_OF_ONE_PEER, MOST_UNREAD, PATIENCE_S, RATE, SLOW_S, Patience


@dataclass(eq=False)
class Client:
    """Is a connection as far as patience looks at it; `at` is None while the worker does not wait for it."""

    at: Progress | None
    address: str = "192.0.2.1"
    unread: int = 0

    def progress(self) -> Progress | None:
        return self.at

    def peer(self) -> str:
        return self.address


def begun(moved: int = 0, turn: Turn = Turn.SENDS, number: int = 1) -> Progress:
    return Progress(turn, number, moved)


def look(patience: Patience, now: float, *clients: Client) -> set[Any]:
    return set(patience.exhausted(clients, now))  # type: ignore[arg-type]


@pytest.mark.parametrize("turn", Turn)
def test_a_client_has_its_time_and_what_it_earns_by_its_bytes(turn: Turn) -> None:
    patience, client = Patience(), Client(begun(turn=turn))
    assert look(patience, 0, client) == set()
    assert look(patience, PATIENCE_S, client) == set()
    client.at = begun(RATE * 5, turn)
    assert look(patience, PATIENCE_S + 4, client) == set()
    assert look(patience, PATIENCE_S + 6, client) == {client}


def test_the_next_request_begins_anew_and_an_idle_connection_is_not_waited_for() -> None:
    patience, client = Patience(), Client(begun())
    look(patience, 0, client)
    client.at = begun(number=2)
    assert look(patience, PATIENCE_S + 1, client) == set()
    client.at = None
    assert look(patience, PATIENCE_S * 3, client) == set()
    client.at = begun(number=2)
    assert look(patience, PATIENCE_S * 4, client) == set()


def test_one_address_has_so_many_slow_clients_and_the_oldest_go() -> None:
    patience = Patience()
    theirs = [Client(begun()) for _ in range(MOST_OF_ONE_PEER + 2)]
    other = Client(begun(), "192.0.2.2")
    for second, client in enumerate(theirs):
        look(patience, second / 1000, *theirs[: second + 1], other)
        assert client not in look(patience, second / 1000, *theirs[: second + 1], other), "it is not slow yet"
    assert look(patience, SLOW_S + 1, *theirs, other) == set(theirs[:2])


def test_slow_clients_leave_so_much_unread_and_the_oldest_go() -> None:
    patience = Patience()
    first, second = (Client(begun(turn=Turn.READS), f"192.0.2.{n}", MOST_UNREAD * 2 // 3) for n in (1, 2))
    look(patience, 0, first)
    look(patience, 1, first, second)
    assert look(patience, SLOW_S + 2, first, second) == {first}
