"""Tests a worker's HTTP server as the supervisor orders it about, over a real socket and channel, with a small app."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

from homeport_runtime.app import App
from homeport_runtime.asgi import Receive, Scope, Send, send_json
from homeport_runtime.guard.names import Names
from homeport_runtime.hosts import http_server as module
from homeport_runtime.hosts.channel import Channel
from homeport_runtime.hosts.handover import Exchange
from homeport_runtime.hosts.http_server import DRAIN_S, EXIT_S, ORPHAN_DRAIN_S, HTTPServer
from homeport_runtime.protocol.messages import MESSAGE
from homeport_runtime.relay import workers as relay

from ..conftest import JSON
from ..stand_ins import StandIn

DEADLINE_S = 30.0
LONG_S = 3600.0

Result = TypeVar("Result")


@dataclass
class Client:
    """Is a connection that is kept open."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def ask(self, path: str = "/", method: str = "GET") -> None:
        self.writer.write(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode())

    async def hear(self) -> tuple[str, Any]:
        """Returns the head and the body of the next answer."""
        head = (await soon(self.reader.readuntil(b"\r\n\r\n"))).decode().lower()
        length = next(line for line in head.splitlines() if line.startswith("content-length:"))
        body = await soon(self.reader.readexactly(int(length.partition(":")[2])))
        return head, json.loads(body) if body.startswith(b"{") else body

    async def served_by(self, path: str = "/") -> str:
        """Returns the name of the server that answers."""
        self.ask(path)
        return str((await self.hear())[1]["by"])

    async def ends(self) -> bool:
        """Returns whether the server closes the connection without another word."""
        with contextlib.suppress(ConnectionError):
            return await soon(self.reader.read()) == b""
        return True


@dataclass
class Worker:
    """Is a server that runs, with the supervisor's end of its channel.

    A request for /slow is answered when the test sets `go`. `asked` counts requests, `slow` those that wait for `go`,
    and `cancelled` those that were ended while they did.
    """

    name: str
    listener: socket.socket
    exchange: Exchange
    idle_s: float
    go: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0
    slow: int = 0
    cancelled: int = 0

    async def app(self, scope: Scope, _receive: Receive, send: Send) -> None:
        self.asked += 1
        if scope["path"] == "/begun":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
            await send({"type": "http.response.body", "body": b"two ", "more_body": True})
            scope = {**scope, "path": "/slow"}
        if scope["path"] == "/slow":
            self.slow += 1
            try:
                await self.go.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
            finally:
                self.slow -= 1
        await send_json(send, 200, {"by": self.name})

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Worker]:
        ours, theirs = socket.socketpair()
        app = App(StandIn(self.app), Names(()), sessions=None)
        self.server = HTTPServer(app, self.listener, self.exchange, self.idle_s)
        self._heard, self._told = await asyncio.open_connection(sock=ours)
        channel = Channel(theirs)
        others = {*threading.enumerate()}
        self.life = asyncio.create_task(self.server.run(channel))
        await asyncio.sleep(0)
        (listening,) = {*threading.enumerate()} - others
        try:
            yield self
        finally:
            await self.hang_up()
            await soon(self.life)
            # It tells the loop of the channel's end.
            await until(lambda: not listening.is_alive())
            channel._file.close()
            theirs.close()

    def tell(self, do: str, **more: object) -> None:
        self._told.write(json.dumps({"do": do, **more}).encode() + b"\n")

    async def hang_up(self) -> None:
        """Closes the channel, as the end of the supervisor does."""
        self._told.close()
        await self._told.wait_closed()

    async def hear(self) -> JSON:
        message: JSON = json.loads(await soon(self._heard.readline()))
        return message

    async def expect(self, event: str) -> JSON:
        """Returns the next event but signs of life, which has to be this one."""
        while (message := await self.hear())["event"] == "load":
            pass
        assert message["event"] == event, message
        return message

    async def accept(self) -> None:
        self.tell("accept")
        await self.expect("accepting")

    async def stop(self, do: str) -> None:
        self.tell(do)
        await self.expect("stopped")

    @property
    def connections(self) -> int:
        return len(self.server._connections.state.connections)


@dataclass
class Project:
    """Is a project's socket, with the exchange of connections between its workers; `exits` are the seconds after which
    a worker would have ended its process.
    """

    listener: socket.socket
    ends: tuple[socket.socket, socket.socket]
    exits: list[float] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def worker(self, name: str, idle_s: float = LONG_S) -> AsyncIterator[Worker]:
        # Each process has descriptors of its own.
        with contextlib.ExitStack() as stack:
            give, take = (stack.enter_context(end.dup()) for end in self.ends)
            listener = stack.enter_context(self.listener.dup())
            async with Worker(name, listener, Exchange(give, take, at_once=1), idle_s).running() as worker:
                yield worker

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        reader, writer = await asyncio.open_connection(*self.listener.getsockname())
        try:
            yield Client(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def soon(awaited: Awaitable[Result]) -> Result:
    return await asyncio.wait_for(awaited, DEADLINE_S)


async def until(condition: Callable[[], object]) -> None:
    """Returns when `condition` is true."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    ends = socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listener, ends[0], ends[1]:
        made = Project(listener, ends)
        monkeypatch.setattr(HTTPServer, "_exit_after", lambda _self, seconds: made.exits.append(seconds))
        for interval in ("TICK_S", "BEAT_S"):
            monkeypatch.setattr(module, interval, 0.01)
        yield made


def test_it_accepts_when_it_is_told_to(project: Project) -> None:
    async def run() -> None:
        async with project.worker("one") as worker, project.client() as client:
            client.ask()
            for _ in range(3):
                assert await worker.hear() == {"event": "load", "open": 0}
            assert worker.asked == 0
            await worker.accept()
            head, answer = await client.hear()
            assert answer == {"by": "one"}
            assert head.startswith("http/1.1 200")
            assert "\r\ndate: " in head
            assert "connection: close" not in head

    asyncio.run(run())


def test_it_tells_of_open_requests_and_of_the_end_of_a_quiet_time(project: Project) -> None:
    async def run() -> None:
        async with project.worker("one", idle_s=0.05) as worker, project.client() as client:
            client.ask("/slow")
            worker.tell("accept")
            await until(lambda: worker.slow)
            while await worker.hear() != {"event": "load", "open": 1}:
                pass
            assert [await worker.hear() for _ in range(20)] == [{"event": "load", "open": 1}] * 20
            worker.go.set()
            assert (await client.hear())[1] == {"by": "one"}
            for _ in range(2):
                heard = await worker.hear()
                while heard["event"] == "load":
                    heard = await worker.hear()
                assert heard == {"event": "idle"}
                assert await client.served_by() == "one"

    asyncio.run(run())


def test_it_shares_its_connections_with_a_worker_that_has_come(project: Project) -> None:
    async def run() -> None:
        async with project.worker("old") as old, project.worker("new") as new, contextlib.AsyncExitStack() as stack:
            await old.accept()
            clients = [await stack.enter_async_context(project.client()) for _ in range(4)]
            assert [await client.served_by() for client in clients] == ["old"] * 4
            await new.accept()
            old.tell("share", workers=2)
            await until(lambda: old.connections == 2)
            assert [await client.served_by() for client in clients] == ["new", "new", "old", "old"], "the idlest go"
            await new.stop("hand_over")
            await soon(new.life)
            assert [await client.served_by() for client in clients] == ["old"] * 4, "it takes connections again"

    asyncio.run(run())


def test_it_hands_every_connection_over_once_nobody_waits_on_it(project: Project) -> None:
    async def run() -> None:
        async with project.worker("old") as old, project.worker("new") as new, contextlib.AsyncExitStack() as stack:
            idle, busy, silent = [await stack.enter_async_context(project.client()) for _ in range(3)]
            await old.accept()
            assert await idle.served_by() == "old"
            busy.ask("/slow")
            await until(lambda: old.slow)
            await new.accept()
            await old.stop("hand_over")
            assert [await client.served_by() for client in (idle, silent)] == ["new", "new"]
            assert not old.life.done()
            old.go.set()
            head, answer = await busy.hear()
            assert answer == {"by": "old"}
            assert "connection: close" not in head
            assert await busy.served_by() == "new"
            await soon(old.life)
            assert project.exits == [DRAIN_S + EXIT_S], "a thread that never ends does not keep the process"

    asyncio.run(run())


def test_a_worker_that_closes_answers_what_is_under_way_and_leaves_the_rest_to_the_next(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE_S", LONG_S)

    async def run() -> None:
        async with contextlib.AsyncExitStack() as stack:
            old = await stack.enter_async_context(project.worker("old"))
            await old.accept()
            asking, busy = [await stack.enter_async_context(project.client()) for _ in range(2)]
            assert await asking.served_by() == "old"
            busy.ask("/slow")
            await until(lambda: old.slow)
            await old.stop("close")
            late = await stack.enter_async_context(project.client())
            late.ask()
            old.go.set()
            assert (await busy.hear())[1] == {"by": "old"}
            for client in (asking, busy):
                client.ask()
                head, answer = await client.hear()
                assert answer == {"by": "old"}
                assert "connection: close" in head, "the client knows that this was the last"
                assert await client.ends()
            await soon(old.life)
            assert old.asked == 4
            assert project.exits == [DRAIN_S + EXIT_S]
            monkeypatch.setattr(module, "GRACE_S", 0)
            new = await stack.enter_async_context(project.worker("new"))
            await new.accept()
            assert (await late.hear())[1] == {"by": "new"}

    asyncio.run(run())


def test_a_worker_that_closes_ends_the_connections_on_which_nobody_asks(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0)

    async def run() -> None:
        async with project.worker("one") as worker, project.client() as silent, project.client() as busy:
            await worker.accept()
            assert await silent.served_by() == "one"
            busy.ask("/slow")
            await until(lambda: worker.slow)
            await worker.stop("close")
            assert await silent.ends()
            worker.go.set()
            assert (await busy.hear())[1] == {"by": "one"}
            assert await busy.ends()
            await soon(worker.life)

    asyncio.run(run())


@pytest.mark.parametrize("do", ["close", "hand_over"])
def test_a_request_that_does_not_end_is_ended(project: Project, monkeypatch: pytest.MonkeyPatch, do: str) -> None:
    monkeypatch.setattr(module, "DRAIN_S", 0.05)

    async def run() -> None:
        async with project.worker("one") as worker, project.client() as client:
            await worker.accept()
            client.ask("/slow")
            await until(lambda: worker.slow)
            await worker.stop(do)
            assert await client.ends()
            await soon(worker.life)
            assert (worker.slow, worker.cancelled) == (0, 1)
            assert project.exits == [0.05 + EXIT_S]

    asyncio.run(run())


def test_an_answer_that_takes_no_last_words_holds_up_no_end(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAIN_S", 0.05)

    async def run() -> None:
        async with project.worker("one") as worker, project.client() as client:
            await worker.accept()
            client.ask("/begun")
            await until(lambda: worker.slow)
            (connection,) = worker.server._connections.state.connections
            # The guard has found a call in the request.
            cycle: Any = getattr(connection, "cycle", None)
            cycle.scope[MESSAGE] = {"id": 7}
            await worker.stop("close")
            await soon(worker.life)
            assert (worker.slow, worker.cancelled) == (0, 1)

    asyncio.run(run())


def test_a_worker_whose_supervisor_is_gone_closes_in_less_time(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0)

    async def run() -> None:
        async with project.worker("one") as worker, project.client() as client:
            await worker.accept()
            assert await client.served_by() == "one"
            await worker.hang_up()
            assert await client.ends()
            await soon(worker.life)
            assert project.exits == [ORPHAN_DRAIN_S + EXIT_S]

    asyncio.run(run())


def test_messages_for_streams_are_relayed_until_the_worker_has_ended(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "ANSWER_S", LONG_S)
    theirs = {"query": "session_id=theirs", "headers": [], "body": ""}

    async def run() -> None:
        async with project.worker("one") as worker, project.client() as client:
            await worker.accept()
            worker.tell("relay", number=1, **theirs)
            assert await worker.expect("relayed") == {"event": "relayed", "number": 1, "taken": False}
            client.ask("/messages/?session_id=elsewhere", "POST")
            asked = await worker.expect("relay")
            assert asked["query"] == "session_id=elsewhere"
            await worker.stop("close")
            worker.tell("relay", number=2, **theirs)
            assert await worker.expect("relayed") == {"event": "relayed", "number": 2, "taken": False}
            worker.tell("relayed", number=asked["number"], taken=True)
            assert (await client.hear())[0].startswith("http/1.1 202")
            await soon(worker.life)
            assert worker.asked == 0

    asyncio.run(run())
