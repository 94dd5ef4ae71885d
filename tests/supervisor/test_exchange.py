"""Tests that connections wait while no worker runs, and wake one."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterator

import pytest

from platform_cli.supervisor.descriptor_store import DescriptorStore
from platform_cli.supervisor.exchange import Exchange
from platform_cli.supervisor.kept import KeptProject
from platform_cli.supervisor.parking import Parking
from platform_cli.supervisor.store_messages import Kept

DEADLINE_S = 10.0
Connected = Callable[[], tuple[socket.socket, socket.socket]]


@pytest.fixture
def connected() -> Iterator[Connected]:
    """Returns `connected()`, which makes a client's end and a worker's end of a connection."""
    sockets: list[socket.socket] = []

    def connect() -> tuple[socket.socket, socket.socket]:
        pair = socket.socketpair()
        for end in pair:
            end.settimeout(DEADLINE_S)
        sockets.extend(pair)
        return pair

    yield connect
    for each in sockets:
        each.close()


def run(work: Callable[[Exchange, asyncio.Event], Awaitable[None]], store: DescriptorStore | None = None) -> None:
    """Runs `work` with an exchange that is watched; the event is set by a request."""

    async def main() -> None:
        kept = KeptProject(store or DescriptorStore(), "tested")
        exchange, requested = Exchange("tested", Parking(1000), kept, socket.socketpair()), asyncio.Event()
        exchange.watch(requested.set)
        try:
            await asyncio.wait_for(work(exchange, requested), DEADLINE_S)
        finally:
            exchange.close()

    asyncio.run(main())


def give(exchange: Exchange, theirs: socket.socket) -> None:
    """As a worker does that ends: from here on the connection is in the exchange alone."""
    socket.send_fds(exchange.ends[0], [b"\0"], [theirs.fileno()])
    theirs.close()


def take(exchange: Exchange) -> socket.socket:
    """As a worker does that has started."""
    _byte, (descriptor,), _flags, _address = socket.recv_fds(exchange.ends[1], 1, 1)
    return socket.socket(fileno=descriptor)


def test_a_request_on_a_connection_that_waits_wakes_a_worker_which_gets_it(connected: Connected) -> None:
    client, theirs = connected()

    async def work(exchange: Exchange, requested: asyncio.Event) -> None:
        give(exchange, theirs)
        client.sendall(b"GET")
        await requested.wait()
        exchange.unwatch()
        exchange.release()
        with take(exchange) as connection:
            assert connection.recv(10) == b"GET", "nothing of the request was read on the way"
            connection.sendall(b"answer")
            assert client.recv(10) == b"answer"

    run(work)


def test_silent_connections_wake_nobody_and_are_given_with_the_others(connected: Connected) -> None:
    silent, busy = connected(), connected()

    async def work(exchange: Exchange, requested: asyncio.Event) -> None:
        give(exchange, silent[1])
        await asyncio.sleep(0)
        assert not requested.is_set()
        give(exchange, busy[1])
        busy[0].sendall(b"x")
        await requested.wait()
        exchange.unwatch()
        exchange.release()
        for _ in range(2):
            with take(exchange) as connection:
                connection.sendall(b"from the worker")
        assert [client.recv(20) for client in (silent[0], busy[0])] == [b"from the worker"] * 2

    run(work)


def test_a_connection_that_its_client_closed_is_dropped(connected: Connected) -> None:
    gone, stays = connected(), connected()

    async def work(exchange: Exchange, requested: asyncio.Event) -> None:
        give(exchange, gone[1])
        gone[0].close()
        give(exchange, stays[1])
        stays[0].sendall(b"x")
        await requested.wait()
        exchange.unwatch()
        exchange.release()
        with take(exchange) as connection:
            assert connection.recv(10) == b"x"
        with pytest.raises(BlockingIOError):
            take(exchange)

    run(work)


def test_more_than_fits_at_once_is_given_all_the_same(connected: Connected) -> None:
    """The way between two processes holds a few hundred descriptors."""
    clients = [connected() for _ in range(400)]

    async def work(exchange: Exchange, requested: asyncio.Event) -> None:
        for client, theirs in clients:
            give(exchange, theirs)
            client.sendall(b"x")
            await requested.wait()
            requested.clear()
        exchange.unwatch()
        exchange.release()
        for _ in clients:
            while True:
                try:
                    take(exchange).close()
                    break
                except BlockingIOError:
                    await asyncio.sleep(0.01)

    run(work)


def test_closing_closes_what_waits(connected: Connected) -> None:
    client, theirs = connected()

    async def work(exchange: Exchange, requested: asyncio.Event) -> None:
        give(exchange, theirs)
        client.sendall(b"x")
        await requested.wait()
        exchange.unwatch()
        exchange.close()
        try:
            assert client.recv(10) == b""
        except ConnectionResetError:
            # What the client had sent was never read.
            return

    run(work)


def test_while_none_may_start_a_request_waits_and_wakes_nobody(connected: Connected) -> None:
    client, theirs = connected()

    async def work(exchange: Exchange, requested: asyncio.Event) -> None:
        exchange.unwatch()
        exchange.collect()
        give(exchange, theirs)
        client.sendall(b"GET")
        await turn(exchange)
        assert not requested.is_set()
        exchange.watch(requested.set)
        await requested.wait()

    async def turn(exchange: Exchange) -> None:
        while not exchange._parked:
            await asyncio.sleep(0)

    run(work)


def test_a_waiting_connection_is_kept_until_it_is_passed_on_or_closed(connected: Connected) -> None:
    """The next control plane gets it; two owners would read each other's requests."""
    passed, closed = connected(), connected()
    master, ours = socket.socketpair()
    master.settimeout(DEADLINE_S)
    ours.setblocking(False)
    kept: list[int] = []

    def told() -> list[dict[str, object]]:
        data, descriptors, _flags, _address = socket.recv_fds(master, 64 * 1024, 8)
        kept.extend(descriptors)
        return [json.loads(line) for line in data.splitlines()]

    async def work(exchange: Exchange, requested: asyncio.Event) -> None:
        give(exchange, passed[1])
        passed[0].sendall(b"GET")
        await requested.wait()
        assert told() == [{"keep": "parked/tested/0", "note": "", "count": 1}]
        exchange.unwatch()
        exchange.release()
        assert told() == [{"drop": "parked/tested/0"}]
        take(exchange).close()
        exchange.watch(requested.set)
        give(exchange, closed[1])
        closed[0].close()
        while not exchange._parked:
            await asyncio.sleep(0)
        while exchange._parked:
            await asyncio.sleep(0)
        said = [each for _ in range(2) for each in told()]
        assert said == [{"keep": "parked/tested/1", "note": "", "count": 1}, {"drop": "parked/tested/1"}]

    run(work, DescriptorStore(ours))
    for each in kept:
        os.close(each)
    master.close()
    ours.close()


def test_the_next_control_plane_goes_on_with_those_that_wait(connected: Connected) -> None:
    client, theirs = connected()
    master, ours = socket.socketpair()
    ours.setblocking(False)
    store = DescriptorStore(ours, [Kept("parked/tested/7", "", (theirs.detach(),))])

    async def work(exchange: Exchange, requested: asyncio.Event) -> None:
        exchange.take_kept()
        client.sendall(b"GET")
        await requested.wait()
        exchange.unwatch()
        exchange.release()
        assert master.recv(100) == b'{"drop": "parked/tested/7"}\n', "it was not kept twice"
        with take(exchange) as connection:
            assert connection.recv(10) == b"GET"

    run(work, store)
    master.close()
    ours.close()
