"""Tests a client's first request, to servers that answer it well and to others."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from platform_cli.controlplane.handshake import check_handshake
from platform_cli.errors import ReleaseError


@contextmanager
def serving(status: Callable[[str], int], seen: list[str]) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            method = json.loads(body)["method"] if body else self.headers["mcp-session-id"]
            seen.append(f"{self.command} {self.path} {method}")
            self.send_response(status(self.path))
            self.send_header("mcp-session-id", "s1")
            self.send_header("content-length", "0")
            self.end_headers()

        def do_DELETE(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            """Prints nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("status", [200, 202, 401, 403])
def test_an_answer_that_a_client_can_use(status: int) -> None:
    seen: list[str] = []
    with serving(lambda _: status, seen) as port:
        check_handshake(port, ["/mcp"])
    # A session that was begun is ended.
    assert seen == ["POST /mcp initialize", "DELETE /mcp s1"]


@pytest.mark.parametrize("status", [307, 404, 405, 421, 500])
def test_any_other_answer(status: int) -> None:
    with serving(lambda path: status if path == "/b/mcp" else 200, []) as port, pytest.raises(ReleaseError) as caught:
        check_handshake(port, ["/a/mcp", "/b/mcp"])
    assert f"/b/mcp answers a client's first request with HTTP {status}" in caught.value.message


def test_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    # Loopback is never asked for through a proxy.
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(ReleaseError) as caught:
            check_handshake(nobody.getsockname()[1], ["/mcp"])
    assert "does not answer" in caught.value.message
    check_handshake(0, [])
