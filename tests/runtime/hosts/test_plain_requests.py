"""Sends plain requests over a real socket: answers are as through h11, whatever the client and the app do."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn

from homeport_runtime.asgi import ASGIApp, Receive, Scope, Send
from homeport_runtime.hosts.handover import Connections, Exchange
from homeport_runtime.hosts.plain_request import MAX_BODY, MAX_HEAD, read_plain

DEADLINE_S = 10
# h11 reads a request with a tabulator in a field.
BY_H11 = {"X-Tab": "a\tb"}
HEAD = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n"


@contextmanager
def served(app: ASGIApp) -> Iterator[int]:
    """Yields the port of a worker's connections on an event loop of their own."""
    loop = asyncio.new_event_loop()
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http="h11", lifespan="off", log_config=None, timeout_keep_alive=3600)
    config.load()

    async def serve(stop: asyncio.Event) -> None:
        connections = Connections(config, Exchange(*ends, at_once=1))
        connections.start_accepting(listener)
        await stop.wait()
        connections.stop_accepting(listener)
        for connection in list(connections.state.connections):
            connection.transport.abort()
        for task in list(connections.state.tasks):
            task.cancel()
        await asyncio.sleep(0.01)

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=[serve(stop)])
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
        for each in (listener, *ends):
            each.close()


async def read_all(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        part = await receive()
        body, more = body + part.get("body", b""), part.get("more_body", False)
    return body


def answering(status: int, headers: dict[str, str], *parts: bytes) -> ASGIApp:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await read_all(receive)
        fields = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": fields})
        for number, part in enumerate(parts, start=1):
            await send({"type": "http.response.body", "body": part, "more_body": number < len(parts)})

    return app


def asked(port: int, headers: dict[str, str]) -> tuple[int, str, list[tuple[str, str]], bytes, bool]:
    """Status, reason, fields, body of an answer, and whether the connection stays open."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    try:
        connection.request("POST", "/mcp?a=1", body=b"{}", headers=headers)
        answer = connection.getresponse()
        fields = sorted((name.lower(), value) for name, value in answer.getheaders())
        return answer.status, answer.reason, fields, answer.read(), connection.sock is not None
    finally:
        connection.close()


@pytest.mark.parametrize(
    "app",
    [
        answering(200, {"content-type": "application/json", "content-length": "2"}, b"{}"),
        answering(200, {"content-type": "text/event-stream"}, b"data: 1\n\n", b"", b"data: 2\n\n", b""),
        answering(200, {}, b""),
        answering(202, {"Content-Length": "0"}, b""),
        answering(204, {}, b""),
        answering(304, {"etag": "1"}, b""),
        answering(404, {"content-length": "4"}, b"no", b"ne"),
        answering(299, {"content-length": "0"}, b""),
        answering(200, {"connection": "close", "content-length": "2"}, b"{}"),
        answering(200, {"transfer-encoding": "chunked"}, b"{}"),
    ],
    ids=range(10),
)
def test_an_answer_is_the_same_as_through_h11(app: ASGIApp) -> None:
    with served(app) as port:
        assert asked(port, {}) == asked(port, BY_H11)


def test_the_app_sees_the_same_request_as_through_h11() -> None:
    seen: list[dict[str, Any]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [field for field in scope["headers"] if field[0] != b"x-tab"]
        seen.append({**scope, "headers": headers, "client": scope["client"][0], "body": await read_all(receive)})
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    with served(app) as port:
        for headers in ({}, BY_H11):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
            connection.request("POST", "/a%20b?c=%20d", body=b"{}", headers={"Content-Type": "text/plain", **headers})
            connection.getresponse().read()
            connection.close()
    assert seen[0] == seen[1]


def talk(port: int, *pieces: bytes) -> Iterator[bytes]:
    """Yields what the server writes after each piece, up to the end of an answer."""
    with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as client:
        for piece in pieces:
            client.sendall(piece)
            answer = b""
            while not answer.endswith(b"0\r\n\r\n") and (part := client.recv(65536)):
                answer += part
            yield answer


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = await read_all(receive)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["method"].encode() + b" " + body})


def test_a_body_may_come_in_pieces_and_several_requests_at_once() -> None:
    with served(echo) as port, socket.create_connection(("127.0.0.1", port), DEADLINE_S) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(HEAD)
        client.sendall(b"ab")
        client.sendall(b"cd" + HEAD + b"efgh")
        client.sendall(HEAD + b"ijkl" + HEAD[:20])
        client.sendall(HEAD[20:] + b"mnop")
        read = b""
        while read.count(b"0\r\n\r\n") < 4:
            part = client.recv(65536)
            assert part, read
            read += part
        assert [line for line in read.split(b"\r\n") if line.startswith(b"POST")] == [
            b"POST abcd", b"POST efgh", b"POST ijkl", b"POST mnop",
        ]  # fmt: skip


def test_plain_and_other_requests_follow_each_other_on_one_connection() -> None:
    other = HEAD.replace(b"\r\n\r\n", b"\r\nX: a\tb\r\n\r\n")
    assert read_plain(HEAD)
    assert not read_plain(other)
    with served(echo) as port:
        said = list(talk(port, HEAD + b"abcd", other + b"efgh", HEAD + b"ijkl"))
    assert [answer.split(b"\r\n")[-4] for answer in said] == [b"POST abcd", b"POST efgh", b"POST ijkl"]


@pytest.mark.parametrize(
    ("app", "status"),
    [
        (answering(200, {"x": "a\r\nset-cookie: b"}, b""), b"500"),
        (answering(200, {"x y": "a"}, b""), b"500"),
        (answering(200, {"content-length": "2"}, b"abc"), b"200"),
        (answering(200, {"content-length": "9"}, b"abc"), b"200"),
        (answering(200, {}), b"200"),
    ],
    ids=["a field in a field", "a bad name", "too long", "too short", "no end"],
)
def test_what_an_app_answers_wrongly_ends_the_connection(app: ASGIApp, status: bytes) -> None:
    with served(app) as port, socket.create_connection(("127.0.0.1", port), DEADLINE_S) as client:
        client.sendall(HEAD + b"abcd")
        answer = b""
        while part := client.recv(65536):
            answer += part
        assert not answer or answer.split(b" ")[1] == status
        assert b"set-cookie" not in answer


def test_a_client_that_leaves_is_a_disconnect() -> None:
    heard = threading.Event()

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await read_all(receive)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        assert (await receive())["type"] == "http.disconnect"
        heard.set()

    with served(app) as port:
        with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as client:
            client.sendall(HEAD + b"abcd")
            assert client.recv(65536)
        assert heard.wait(DEADLINE_S)


@pytest.mark.parametrize(
    "data",
    [
        HEAD.replace(b"Host: localhost\r\n", b""),
        HEAD.replace(b"\r\nHost", b"\r\nHost: other\r\nHost"),
        HEAD.replace(b"Content-Length: 4", b"Content-Length: 4\r\nContent-Length: 4"),
        HEAD.replace(b"4", b"+4"),
        HEAD.replace(b"4", str(MAX_BODY + 1).encode()),
        HEAD.replace(b"Content-Length: 4", b"Transfer-Encoding: chunked"),
        HEAD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        HEAD.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"),
        HEAD.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
        HEAD.replace(b"\r\n\r\n", b"\r\nX:" + b"x" * MAX_HEAD + b"\r\n\r\n"),
        HEAD.replace(b"HTTP/1.1", b"HTTP/1.0"),
        HEAD.replace(b"/mcp", b"http://localhost/mcp"),
        HEAD + b"abcd" + HEAD,
        HEAD[:-2],
    ],
)
def test_what_is_left_to_h11(data: bytes) -> None:
    assert read_plain(data) is None


def test_a_head_that_does_not_match_is_refused_in_linear_time() -> None:
    """It has as many lines as one read can have; a pattern that matches in two ways would never end."""
    assert read_plain(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 40_000 + b"\x00") is None
