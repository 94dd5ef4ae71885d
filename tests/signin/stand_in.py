"""Serves what stands in a test for a service elsewhere that answers in JSON: GitHub, or an identity provider."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from tests.http_servers import serving

Answer = Mapping[str, Any]


class StandIn:
    """Is a service; `url` is where it runs, without a path."""

    url: str

    def begin(self, url: str) -> None:
        """Hears where it runs."""
        self.url = url

    def get(self, path: str, authorization: str | None) -> Answer | None:
        """Returns the answer to a GET, None for an error."""
        raise NotImplementedError

    def post(self, path: str, form: dict[str, str]) -> Answer | None:
        """Returns the answer to a form, None for an error."""
        raise NotImplementedError


StandInT = TypeVar("StandInT", bound=StandIn)


@contextmanager
def running(service: StandInT) -> Iterator[StandInT]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(service.get(self.path, self.headers["authorization"]))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            self._answer(service.post(self.path, dict(parse_qsl(body))))

        def _answer(self, said: Answer | None) -> None:
            data = json.dumps(said).encode()
            self.send_response(200 if said is not None else 500)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    with serving(Handler) as url:
        service.begin(url)
        yield service
