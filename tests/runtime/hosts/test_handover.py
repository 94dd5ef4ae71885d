"""Tests connections on their way between workers, and those that a worker gives up when it may open no more."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator

import pytest
import uvicorn

from homeport_runtime.asgi import Receive, Scope, Send, send_json
from homeport_runtime.hosts import handover as module
from homeport_runtime.hosts.handover import Connections, Exchange

DEADLINE_S = 30.0


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ends = socket.socketpair()
    yield ends
    for end in ends:
        end.close()


def test_a_connection_arrives_with_what_belongs_to_it(pair: tuple[socket.socket, socket.socket]) -> None:
    async def run() -> None:
        exchange = Exchange(*pair, at_once=1)
        used: asyncio.Queue[tuple[socket.socket, int | None]] = asyncio.Queue()
        exchange.start_taking(lambda taken: used.put_nowait((taken, None)), lambda *both: used.put_nowait(both))
        described, description = os.pipe()
        os.write(description, b"described")
        os.close(description)
        for told in ((), (described,)):
            ours, theirs = socket.socketpair()
            assert exchange.give(theirs.fileno(), *told)
            theirs.close()
            connection, what = await asyncio.wait_for(used.get(), DEADLINE_S)
            with connection, ours:
                connection.send(b"hello")
                assert ours.recv(5) == b"hello"
            if told:
                assert what is not None
                assert os.read(what, 9) == b"described"
                os.close(what)
            else:
                assert what is None
        os.close(described)
        exchange.stop_taking()

    asyncio.run(run())


def test_what_nobody_takes_stays_where_it_is(pair: tuple[socket.socket, socket.socket]) -> None:
    exchange = Exchange(*pair, at_once=1)
    given = 0
    with socket.socket() as connection:
        while exchange.give(connection.fileno()):
            given += 1
            assert given < 100_000
        assert given
        assert connection.fileno() > 0, "it is still this worker's"


async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send_json(send, 200, {})


async def ask(client: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> bytes:
    """Returns the first line of an answer that is read to its end, nothing if the connection was closed."""
    reader, writer = client
    with contextlib.suppress(ConnectionError):
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(DEADLINE_S):
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(2)
        return head.partition(b"\r\n")[0]
    return b""


def test_where_no_more_may_be_open_the_ones_idle_for_longest_are_closed(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLOSED_AT_ONCE", 1)

    async def run() -> None:
        config = uvicorn.Config(answer, http="h11", lifespan="off", log_config=None, timeout_keep_alive=3600)
        config.load()
        connections = Connections(config, Exchange(*pair, at_once=1))
        connections._most = 2
        with socket.create_server(("127.0.0.1", 0)) as listener:
            connections.start_accepting(listener)
            clients = []
            for _ in range(3):
                clients.append(await asyncio.open_connection(*listener.getsockname()))
                assert await ask(clients[-1]) == b"HTTP/1.1 200 OK"
            assert await asyncio.wait_for(clients[0][0].read(), DEADLINE_S) == b"", "it was closed"
            assert [await ask(client) for client in clients[1:]] == [b"HTTP/1.1 200 OK"] * 2
            connections.stop_accepting(listener)
        for _, writer in clients:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        for connection in list(connections.state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)

    asyncio.run(run())


def test_a_leaving_worker_gives_idle_connections_away_and_others_when_they_are_answered(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    go = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/slow":
            await go.wait()
        await answer(scope, receive, send)

    async def run() -> None:
        config = uvicorn.Config(app, http="h11", lifespan="off", log_config=None, timeout_keep_alive=3600)
        config.load()
        exchange = Exchange(*pair, at_once=1)
        connections = Connections(config, exchange)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            connections.start_accepting(listener)
            idle = await asyncio.open_connection(*listener.getsockname())
            assert await ask(idle) == b"HTTP/1.1 200 OK"
            busy = await asyncio.open_connection(*listener.getsockname())
            busy[1].write(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
            async with asyncio.timeout(DEADLINE_S):
                while not connections.state.tasks:
                    await asyncio.sleep(0.005)
            connections.stop_accepting(listener)
        taken: asyncio.Queue[str] = asyncio.Queue()
        kept = []

        def use(connection: socket.socket) -> None:
            kept.append(connection)
            taken.put_nowait(connection.getpeername())

        exchange.start_taking(use, lambda *_: None)
        connections.leave(100)
        assert await asyncio.wait_for(taken.get(), DEADLINE_S) == idle[1].get_extra_info("sockname")
        assert taken.empty(), "the other one is still asked for something"
        go.set()
        assert (await asyncio.wait_for(busy[0].readuntil(b"{}"), DEADLINE_S)).startswith(b"HTTP/1.1 200 OK")
        connections.leave_idle()
        assert await asyncio.wait_for(taken.get(), DEADLINE_S) == busy[1].get_extra_info("sockname")
        exchange.stop_taking()
        for connection in kept:
            connection.close()
        for _, writer in (idle, busy):
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    asyncio.run(run())
