"""Stands for CloudFront before a function's URL: it passes all on, adds the origin's headers to requests, and runs the
function for answers on those below 400, as AWS says.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from .function_url import FunctionURL
from .sandbox import DEADLINE_S, Server

HOP = ("connection", "transfer-encoding", "content-length", "host")
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/edge-function-restrictions-all.html
FIRST_ERROR = 400
RUN = "process.stdout.write(JSON.stringify(handler(JSON.parse(require('fs').readFileSync(0, 'utf8')))))"


def run_function(code: str, event: str) -> dict[str, Any]:
    """Returns what a function of CloudFront returns for an event, as JSON."""
    done = subprocess.run(["node", "-e", f"{code}\n{RUN}"], input=event, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@contextmanager
def distribution(origin: FunctionURL, config: Mapping[str, Any], code: str) -> Iterator[str]:
    """Yields its URL; `config` is one as CreateDistribution takes it, and `code` that of its function."""
    (sent,) = config["Origins"]["Items"]
    added = {one["HeaderName"].lower(): one["HeaderValue"] for one in sent["CustomHeaders"]["Items"]}
    server = Server(("127.0.0.1", 0), type("ThisEdge", (Edge,), {"origin": origin, "added": added, "code": code}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Edge(BaseHTTPRequestHandler):
    origin: FunctionURL
    added: Mapping[str, str]
    code: str

    def log_message(self, *_: object) -> None:
        """Prints nothing."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        sent = {name.lower(): value for name, value in self.headers.items() if name.lower() not in HOP}
        host = self.origin.url.removeprefix("http://")
        with closing(http.client.HTTPConnection(host, timeout=DEADLINE_S)) as connection:
            connection.request(self.command, self.path, body, {**sent, **self.added})
            answer = connection.getresponse()
            content = answer.read()
            headers = {name.lower(): value for name, value in answer.getheaders() if name.lower() not in HOP}
        status, headers = self._restored(answer.status, headers)
        self.send_response_only(status)
        for name, value in {**headers, "content-length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _restored(self, status: int, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        if status >= FIRST_ERROR:
            return status, headers
        shown = {name: {"value": value} for name, value in headers.items()}
        event = {"version": "1.0", "response": {"statusCode": status, "statusDescription": "OK", "headers": shown}}
        found = run_function(self.code, json.dumps(event))
        assert "body" not in found, "without it the origin's body goes on"
        return found["statusCode"], {name: one["value"] for name, one in found["headers"].items()}

    do_GET = do_POST = _serve  # noqa: N815
