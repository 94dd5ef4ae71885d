"""Stands for a distribution of CloudFront: it passes all on to a function's URL, and adds a policy's headers."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from .function_url import FunctionURL
from .sandbox import DEADLINE_S, Server

HOP = ("connection", "transfer-encoding", "content-length", "host")


@contextmanager
def distribution(origin: FunctionURL, policy: Mapping[str, Any]) -> Iterator[str]:
    """Yields its URL; `policy` is a configuration as CreateResponseHeadersPolicy takes it."""
    added = policy["CustomHeadersConfig"]["Items"]
    server = Server(("127.0.0.1", 0), type("ThisEdge", (Edge,), {"origin": origin, "added": added}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Edge(BaseHTTPRequestHandler):
    origin: FunctionURL
    added: list[dict[str, Any]]

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        sent = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
        host = self.origin.url.removeprefix("http://")
        with closing(http.client.HTTPConnection(host, timeout=DEADLINE_S)) as connection:
            connection.request(self.command, self.path, body, sent)
            answer = connection.getresponse()
            content = answer.read()
            headers = {name.lower(): value for name, value in answer.getheaders() if name.lower() not in HOP}
        for one in self.added:
            if one["Override"] or one["Header"].lower() not in headers:
                headers[one["Header"].lower()] = one["Value"]
        self.send_response_only(answer.status)
        for name, value in {**headers, "content-length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = _serve  # noqa: N815
