"""Tests what a server says that cannot run beside another one, and who makes room for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from platform_cli.errors import HomeportError, InspectError
from platform_cli.supervisor.exclusive import beside, is_exclusive

DUCKDB = "IO Error: Could not set lock on file '/x/sales.duckdb': Conflicting lock is held in python3.11 (PID 7)"


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (f"the server raised IOException: {DUCKDB}", True),
        ("RuntimeError: Storage folder ./qdrant is already accessed by another instance of Qdrant client.", True),
        (
            "[Errno 98] error while attempting to bind on address ('0.0.0.0', 8080): address already in use",
            True,
        ),
        ("Error: listen EADDRINUSE: address already in use :::3000", True),
        ("BlockingIOError: [Errno 11] Resource temporarily unavailable", True),
        ("OperationalError: database is locked", True),
        ("ValueError: this key opens nothing: blocked by the unlocker", False),
        ("KeyError: 'API_KEY'", False),
    ],
)
def test_words_of_an_exclusive_server(reason: str, expected: bool) -> None:
    assert is_exclusive(InspectError(reason)) is expected


class Service:
    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.is_paused = False

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        self.is_paused = True
        yield
        self.is_paused = False


def outcome(services: list[Service], reason: str) -> list[list[bool]]:
    """Returns which services were paused at each try. The work never succeeds while one runs; what it
    raises is raised.
    """
    tries: list[list[bool]] = []

    async def work() -> None:
        tries.append([service.is_paused for service in services])
        if any(service.workers and not service.is_paused for service in services):
            raise InspectError(reason)

    asyncio.run(beside(services, work))
    return tries


def test_workers_pause_for_a_second_try() -> None:
    services = [Service(1), Service(0)]
    assert outcome(services, DUCKDB) == [[False, False], [True, False]]
    assert not services[0].is_paused
    assert outcome([], DUCKDB) == [[]]


def test_another_reason_pauses_nobody() -> None:
    with pytest.raises(HomeportError, match="no luck"):
        outcome([Service(1)], "ValueError: no luck")
