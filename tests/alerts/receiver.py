"""Is a webhook's receiver, which keeps what came."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple

from tests.http_servers import serving


class Received(NamedTuple):
    body: bytes
    headers: dict[str, str]

    @property
    def said(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.body)
        return read


class Receiver:
    """Holds what came; `answers` are statuses and texts to give, and then 200."""

    def __init__(self) -> None:
        self.url = ""
        self.came: list[Received] = []
        self.answers: list[tuple[int, str]] = []


@contextmanager
def receiver() -> Iterator[Receiver]:
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.came.append(Received(body, dict(self.headers)))
            status, text = kept.answers.pop(0) if kept.answers else (200, "")
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

    with serving(Handler) as url:
        kept.url = f"{url}/hook/s3cret-part"
        yield kept
