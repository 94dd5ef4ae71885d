"""Opens a session over HTTP+SSE, whose messages are posted and whose answers come on its stream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .conftest import JSON, Reply, Served, message


@contextmanager
def session(server: Served) -> Iterator[tuple[Reply, str]]:
    """Opens an initialized session, and yields its stream and where to post."""
    with server.request("GET", "/sse", headers={"accept": "text/event-stream"}) as stream:
        path = stream.event()[1]
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        post(server, path, message("initialize", hello, 0))
        assert stream.next()["id"] == 0
        post(server, path, {"jsonrpc": "2.0", "method": "notifications/initialized"})
        yield stream, path


def post(server: Served, path: str, body: JSON) -> None:
    """Posts a message, each time on a new connection."""
    with server.request("POST", path, body) as reply:
        assert reply.status == 202
