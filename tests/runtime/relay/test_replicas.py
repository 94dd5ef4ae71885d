"""Tests two replicas of an image that reach each other by address: each a guard with a small app behind it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from homeport_runtime.asgi import Receive, Scope, Send, header, send_json
from homeport_runtime.guard.access import Access
from homeport_runtime.guard.http import Guard
from homeport_runtime.guard.names import AnyName
from homeport_runtime.hosts import replicas as hosts
from homeport_runtime.protocol.jsonrpc import event
from homeport_runtime.protocol.messages import MAX_BODY, read_body
from homeport_runtime.relay.replicas import PATH, Address, ReplicaRelay
from homeport_runtime.relay.sealing import Seal

from ..conftest import DEADLINE_S

KEY = b"key of all replicas"
TOKEN = "homeport_token"
AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}


class Replica:
    """Its app knows one session, and puts what was posted onto its stream with the token that came with it."""

    def __init__(self, name: str, key: bytes = KEY) -> None:
        self.session = name * 32
        self.sends: list[Send] = []
        self.guard = Guard(self._app, AnyName(), Access.of_hashes(hashlib.sha256(TOKEN.encode()).hexdigest()))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.here = Address("127.0.0.1", self.listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.here.port}"
        self.relay = ReplicaRelay(self.guard, self.here, key, self.guard.sessions.is_here, self.guard.sessions.deliver)
        self.guard.sessions.relay = self.relay

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/sse":
            headers = [(b"content-type", b"text/event-stream")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            endpoint = f"event: endpoint\r\ndata: /messages/?session_id={self.session}\r\n\r\n".encode()
            await send({"type": "http.response.body", "body": endpoint, "more_body": True})
            self.sends.append(send)
            while (await receive())["type"] != "http.disconnect":
                pass
            self.sends.remove(send)
            return
        if scope["query_string"] != f"session_id={self.session}".encode() or not self.sends:
            await send_json(send, 404, {"error": "not here"})
            return
        said = json.loads(await read_body(receive))
        await send_json(send, 202, {})
        said["token"] = header(scope, b"authorization")
        await self.sends[-1]({"type": "http.response.body", "body": event(said), "more_body": True})

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        config = uvicorn.Config(self.relay, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        server.capture_signals = _no_signals  # type: ignore[method-assign]
        running = asyncio.ensure_future(server.serve(sockets=[self.listener]))
        try:
            yield
        finally:
            server.should_exit = True
            await running


@contextmanager
def _no_signals() -> Iterator[None]:
    yield


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, DEADLINE_S))


@asynccontextmanager
async def stream(client: httpx.AsyncClient, replica: Replica) -> AsyncIterator[tuple[str, AsyncIterator[str]]]:
    """Opens GET /sse, and yields the path for messages and the data of the events that follow."""
    async with client.stream("GET", f"{replica.url}/sse", headers=AUTHORIZED) as answer:
        data = (line.removeprefix("data: ") async for line in answer.aiter_lines() if line.startswith("data: "))
        yield await anext(data), data


@asynccontextmanager
async def two() -> AsyncIterator[tuple[httpx.AsyncClient, Replica, Replica]]:
    one, other = Replica("a"), Replica("b")
    async with httpx.AsyncClient(trust_env=False) as client, one.serving(), other.serving():
        yield client, one, other


def test_a_message_reaches_its_session_in_another_replica_without_the_token() -> None:
    async def test() -> None:
        async with two() as (client, one, other), stream(client, one) as (path, events):
            for replica in (other, one):
                answer = await client.post(replica.url + path, json={"method": "ping"}, headers=AUTHORIZED)
                assert answer.status_code == 202
                assert json.loads(await anext(events)) == {"method": "ping", "token": None}

    run(test())


def test_a_message_that_is_too_large_is_refused_on_the_stream_in_the_other_replica() -> None:
    async def test() -> None:
        async with two() as (client, one, other), stream(client, one) as (path, events):
            body = b'{"jsonrpc":"2.0","id":7,"method":"ping","params":{"x":"' + b"x" * MAX_BODY + b'"}}'
            answer = await client.post(other.url + path, content=body, headers=AUTHORIZED)
            assert answer.status_code == 202
            assert json.loads(await anext(events))["error"]["data"]["detail"] == f"a message may have {MAX_BODY} bytes"

    run(test())


def test_nobody_leads_a_replica_to_another_address() -> None:
    async def test() -> None:
        async with two() as (client, _one, other):
            with socket.create_server(("127.0.0.1", 0)) as trap:
                address = Address("127.0.0.1", trap.getsockname()[1])
                forged = ReplicaRelay(
                    other.guard, address, b"another key", other.guard.sessions.is_here, other.guard.sessions.deliver
                )
                for name in (forged.public_name("c" * 32), "c" * 32, f"{'c' * 32}.AAAA", "c.é"):
                    url = f"{other.url}/messages/?session_id={name}"
                    assert (await client.post(url, json={}, headers=AUTHORIZED)).status_code == 404
                trap.setblocking(False)
                with pytest.raises(BlockingIOError):
                    trap.accept()

    run(test())


def test_strangers_post_nothing_to_a_session() -> None:
    async def test() -> None:
        async with two() as (client, one, _other), stream(client, one) as (path, events):
            session = path.partition("=")[2]
            told = json.dumps({"session": session, "query": path.partition("?")[2], "headers": [], "body": "e30="})
            sealed = Seal("another key").close(told.encode())
            for place in (PATH, PATH + Seal("another key").place):
                assert (await client.post(one.url + place, content=sealed)).status_code == 401
            for content in (sealed, told.encode(), b""):
                answer = await client.post(f"{one.url}{PATH}{Seal(KEY.hex()).place}", content=content)
                assert answer.status_code == 404
            await client.post(one.url + path, json={"method": "first"}, headers=AUTHORIZED)
            assert json.loads(await anext(events))["method"] == "first"

    run(test())


def test_a_session_of_a_replica_that_is_gone_is_not_found() -> None:
    async def test() -> None:
        gone = Replica("c")
        gone.listener.close()
        async with two() as (client, one, other):
            for name in (gone.relay.public_name(gone.session), other.relay.public_name("d" * 32)):
                url = f"{one.url}/messages/?session_id={name}"
                assert (await client.post(url, json={}, headers=AUTHORIZED)).status_code == 404

    run(test())


@pytest.mark.parametrize(
    ("addresses", "own"),
    [(["127.0.1.1", "10.1.2.3"], "10.1.2.3"), (["::1", "fd00::7%eth0"], "fd00::7"), (["127.0.0.1"], None)],
)
def test_a_replica_finds_the_address_of_its_host(
    addresses: list[str], own: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [(0, 0, 0, "", (address, 0)) for address in addresses]
    monkeypatch.setattr(hosts.socket, "getaddrinfo", lambda *_args, **_named: found)  # type: ignore[attr-defined]
    assert hosts.own_address() == own


@pytest.mark.parametrize("host", ["10.1.2.3", "fd00::7"])
def test_an_address_is_read_as_it_was_written(host: str) -> None:
    assert Address.unpacked(Address(host, 8000).packed()) == Address(host, 8000)
