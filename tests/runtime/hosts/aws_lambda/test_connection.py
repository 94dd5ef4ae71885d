"""Tests how the Runtime API's server may answer: all forms of HTTP/1.1, and none at all."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from homeport_runtime.hosts.aws_lambda.api import Invocation, RuntimeAPI
from homeport_runtime.hosts.aws_lambda.connection import Connection, Reply

# Nobody ends a function's connection but the other side.
EVENT = b"Connection: close\r\nLambda-Runtime-Aws-Request-Id: one\r\nLambda-Runtime-Deadline-Ms: 1500\r\n"
DEADLINE_S = 20.0


@contextmanager
def server(*connections: bytes) -> Iterator[str]:
    """Serves an address where each connection in turn gets what it is sent after its first request, and is closed."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(DEADLINE_S)

    def serve() -> None:
        for said in connections:
            connection, _ = listener.accept()
            with connection:
                assert connection.recv(65536).endswith(b"\r\n\r\n")
                connection.sendall(said)

    thread = threading.Thread(target=serve)
    thread.start()
    with listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join(DEADLINE_S)


@pytest.mark.parametrize(
    ("said", "reply"),
    [
        (b"HTTP/1.1 200 OK\r\nX-One:  two \r\nContent-Length: 2\r\n\r\n{}", Reply(200, {"x-one": "two"}, b"{}")),
        (b"HTTP/1.1 202\r\n\r\n", Reply(202, {}, b"")),
        (
            b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\nB\r\n0123456789-\r\n0\r\nX: 1\r\n\r\n",
            Reply(200, {}, b"abc0123456789-"),
        ),
    ],
    ids=["its length", "nothing", "chunks"],
)
def test_replies(said: bytes, reply: Reply) -> None:
    with server(said) as address:
        connection = Connection(address)
        connection.send(connection.head("GET", "/", {}))
        status, headers, body = connection.reply()
        connection.close()
    named = {name: value for name, value in headers.items() if name.startswith("x-")}
    assert (status, named, body) == (reply.status, reply.headers, reply.body)


@pytest.mark.parametrize(
    "broken", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"]
)
def test_an_event_is_asked_for_again_where_the_connection_was_closed(broken: bytes) -> None:
    whole = b"HTTP/1.1 200 OK\r\n%bContent-Length: 8\r\n\r\n" % EVENT + b'{"a": 1}'
    with server(broken, whole) as address:
        assert RuntimeAPI(address).next() == Invocation("one", 1.5, "", {"a": 1})


def test_a_reply_may_close_the_connection() -> None:
    whole = b"HTTP/1.1 200 OK\r\n%bContent-Length: 2\r\n\r\n{}" % EVENT
    with server(whole, whole) as address:
        api = RuntimeAPI(address)
        assert [api.next().request_id, api.next().request_id] == ["one", "one"]
