"""Tests the guard before a real server: names, size, one parse, and what it leaves to the SDK."""

from __future__ import annotations

import asyncio
import http.client
import json
from contextlib import closing
from typing import Any

import pytest

from homeport_runtime.asgi import Message, Receive, Scope, Send, send_json
from homeport_runtime.guard.http import Guard
from homeport_runtime.guard.names import Names
from homeport_runtime.protocol.messages import MAX_BODY, MESSAGE
from homeport_runtime.protocol.probe import call_app

from ..conftest import BOTH, call, message, python_with
from ..workers import MCP2, Worker, Workers

ADD = '''
@mcp.tool()
def size(text: str) -> int:
    """The size of a text."""
    return len(text)
'''


@pytest.fixture(scope="module")
def worker(workers: Workers) -> Worker:
    return workers.serve(MCP2 + ADD, python_with("mcp>=2"), names=["tools.example.com"])


def test_a_message_up_to_the_limit_is_served_and_a_larger_one_refused(worker: Worker) -> None:
    room = MAX_BODY - len(json.dumps(call("size", text="")))
    assert worker.post(call("size", text="x" * room))["result"]["structuredContent"] == {"result": room}
    with worker.request("POST", "/mcp", call("size", text="x" * (room + 1))) as reply:
        assert reply.status == 413
        assert reply.rpc()["error"]["code"] == -32600
        assert reply.header("connection") == "close"


def test_a_message_in_chunks_may_not_be_larger_either(worker: Worker) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", worker.port, timeout=60)) as connection:
        body = iter([b'{"text": "'] + [b"x" * 65536] * (MAX_BODY // 65536))
        connection.request("POST", "/mcp", body, BOTH, encode_chunked=True)
        assert connection.getresponse().status == 413


def test_a_declared_length_is_refused_before_the_body_is_read(worker: Worker) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", worker.port, timeout=60)) as connection:
        connection.putrequest("POST", "/mcp")
        for name, value in {**BOTH, "content-length": str(MAX_BODY + 1)}.items():
            connection.putheader(name, value)
        connection.endheaders(b"{")
        assert connection.getresponse().status == 413


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "tools.example.com"}, 200),
        ({"host": "tools.example.com:8443", "origin": "https://tools.example.com"}, 200),
        ({"host": "evil.example"}, 421),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "tools.example.com", "origin": "http://localhost:6274"}, 200),
    ],
)
@pytest.mark.parametrize("path", ["/mcp", "/health"])
def test_names_are_checked_on_every_path(worker: Worker, path: str, headers: dict[str, str], status: int) -> None:
    method, body = ("GET", None) if path == "/health" else ("POST", message("ping"))
    with worker.request(method, path, body, headers) as reply:
        # Probes of load balancers know an address alone, and /health tells nothing.
        assert reply.status == (200 if (path, status) == ("/health", 421) else status)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff", b"[" * 50_000, b"[]", b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]']
)
def test_what_is_no_message_gets_the_servers_own_error(worker: Worker, body: bytes) -> None:
    with worker.request("POST", "/mcp", body) as reply:
        assert reply.status == 400
        assert reply.rpc()["error"]["code"] in (-32700, -32600, -32602)
    assert worker.post(message("ping"))["result"] == {}


class Recorder:
    """Is an app that keeps what it is given."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        self.bodies.append((await receive())["body"])
        await send_json(send, 200, {})


def guarded(app: Any, path: str, body: bytes, method: str = "POST") -> tuple[int, Guard]:
    guard = Guard(app, Names([]))
    status, _, _ = asyncio.run(call_app(guard, method, path, [(b"host", b"localhost")], body))
    return status, guard


@pytest.mark.parametrize("path", ["/mcp", "/mcp/", "/messages/"])
def test_the_parsed_message_is_in_the_scope_and_the_body_is_whole(path: str) -> None:
    app = Recorder()
    body = b'{"jsonrpc":"2.0",  "method": "ping", "id": 1}'
    guarded(app, path, body)
    assert app.scopes[0][MESSAGE] == json.loads(body)
    assert app.bodies == [body]


def test_other_paths_are_left_alone() -> None:
    app = Recorder()
    guarded(app, "/upload", b"{" + b"x" * MAX_BODY)
    assert MESSAGE not in app.scopes[0]
    assert len(app.bodies[0]) == MAX_BODY + 1


def test_requests_are_counted_while_they_are_open() -> None:
    seen: list[int] = []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        seen.append(guard.open_requests)
        if scope["path"] == "/broken":
            raise ValueError("broken")
        await send_json(send, 200, {})

    guard = Guard(app, Names([]))
    host = [(b"host", b"localhost")]
    asyncio.run(call_app(guard, "GET", "/", host, b""))
    with pytest.raises(ValueError, match="broken"):
        asyncio.run(call_app(guard, "GET", "/broken", host, b""))
    assert seen == [1, 1]
    assert (guard.open_requests, guard.served) == (0, 2)


def test_a_web_socket_from_elsewhere_is_closed() -> None:
    sent: list[Message] = []

    async def send(part: Message) -> None:
        sent.append(part)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    scope = {"type": "websocket", "path": "/ws", "headers": [(b"host", b"localhost"), (b"origin", b"https://evil")]}
    asyncio.run(Guard(Recorder(), Names([]))(scope, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]
