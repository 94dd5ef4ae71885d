"""Runs DynamoDB as functions see it: moto behind a proxy that counts the calls, and tables as a deploy makes them."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx
import pytest

from platform_cli.targets.aws_lambda.desired import MAILBOX

from .moto_server import Moto
from .sandbox import DEADLINE_S, Server

HEADERS = ("content-type", "x-amz-target", "authorization", "x-amz-date")


class DynamoDB:
    """Counts calls of DynamoDB: `calls` are the names of the operations in their order, `connections` the ports that
    they came from. `before` is asked with name and body of each call; the call is not made if that answers False.
    """

    def __init__(self, moto: Moto) -> None:
        self.moto = moto
        self.calls: list[str] = []
        self.connections: list[int] = []
        self.before: Callable[[str, bytes], bool] = lambda _name, _body: True
        self.http = httpx.Client(timeout=DEADLINE_S)
        self._server = Server(("127.0.0.1", 0), type("ThisProxy", (Proxy,), {"dynamodb": self}))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            **self.moto.environment,
            "AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{self._server.server_port}",
        }

    def table(self) -> str:
        """Makes a new table."""
        name = f"mailbox-{uuid.uuid4().hex}"
        self.moto.client("dynamodb").create_table(TableName=name, **MAILBOX)
        return name

    def items(self, table: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.moto.client("dynamodb").scan(TableName=table)["Items"]
        return found

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.http.close()


class Proxy(BaseHTTPRequestHandler):
    dynamodb: DynamoDB
    disable_nagle_algorithm = True
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Prints nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        name = self.headers["X-Amz-Target"].rpartition(".")[2]
        self.dynamodb.calls.append(name)
        self.dynamodb.connections.append(self.client_address[1])
        if not self.dynamodb.before(name, body):
            self.close_connection = True
            return
        headers = {key: self.headers[key] for key in HEADERS}
        answer = self.dynamodb.http.post(self.dynamodb.moto.url, content=body, headers=headers)
        self.send_response(answer.status_code)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)


@pytest.fixture(scope="session")
def dynamodb(moto: Moto) -> Iterator[DynamoDB]:
    running = DynamoDB(moto)
    yield running
    running.close()
