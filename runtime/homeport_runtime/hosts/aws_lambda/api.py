"""Speaks Lambda's Runtime API as a runtime does: it takes the next event, streams its answer, and reports errors.

See https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. The streamed answer is what AWS's own runtimes for
Node.js and Rust send: a chunked POST whose errors come as trailers.
"""

from __future__ import annotations

import base64
import json
from typing import Any, NamedTuple

from ...asgi import Headers
from .connection import Connection, Reply
from .events import answer_fields

RUNTIME = "/2018-06-01/runtime"
# Ends the prelude (status and headers, as JSON) of an HTTP answer.
PRELUDE_END = b"\0" * 8
STREAMED = {
    "Lambda-Runtime-Function-Response-Mode": "streaming",
    "Transfer-Encoding": "chunked",
    "Trailer": "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
    "Content-Type": "application/vnd.awslambda.http-integration-response",
}


class Invocation(NamedTuple):
    """Is one event.

    `deadline_s` is the Unix time, in seconds, at which the function is ended; `trace_id` is X-Ray's, empty where there
    is none.
    """

    request_id: str
    deadline_s: float
    trace_id: str
    event: dict[str, Any]


class RuntimeAPI:
    """Speaks to the Runtime API at `address` (`host:port`, from AWS_LAMBDA_RUNTIME_API), blocking, one event
    at a time.
    """

    def __init__(self, address: str) -> None:
        self._connection = Connection(address)
        self._phase = "init"

    def next(self) -> Invocation:
        try:
            reply = self._get("/invocation/next")
        except ConnectionError:
            # The idle connection was closed, so no event is lost by asking again.
            self._connection.close()
            reply = self._get("/invocation/next")
        return Invocation(
            request_id=reply.headers["lambda-runtime-aws-request-id"],
            deadline_s=int(reply.headers["lambda-runtime-deadline-ms"]) / 1000,
            trace_id=reply.headers.get("lambda-runtime-trace-id", ""),
            event=json.loads(reply.body),
        )

    def restored(self) -> None:
        """Reports that a snapshot can be taken (SnapStart), and returns in each copy restored from it."""
        self._get("/restore/next")
        # The connection belongs to the process from which the snapshot was taken.
        self._connection.close()
        self._phase = "restore"

    def _get(self, path: str) -> Reply:
        self._connection.send(self._connection.head("GET", f"{RUNTIME}{path}", {}))
        return self._connection.reply()

    def answer(self, request_id: str) -> AnswerStream:
        return AnswerStream(self._connection, f"{RUNTIME}/invocation/{request_id}/response")

    def fail(self, request_id: str, kind: str, message: str, trace: str = "") -> None:
        """Reports that an event has no answer at all."""
        self._post(f"/invocation/{request_id}/error", kind, message, trace)

    def fail_start(self, kind: str, message: str, trace: str = "") -> None:
        """Reports that no event will ever be answered."""
        self._post(f"/{self._phase}/error", kind, message, trace)

    def _post(self, path: str, kind: str, message: str, trace: str) -> None:
        body = error_body(kind, message, trace)
        headers = {
            "Lambda-Runtime-Function-Error-Type": kind,
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        }
        self._connection.send(self._connection.head("POST", f"{RUNTIME}{path}", headers) + body)
        self._connection.reply()


def error_body(kind: str, message: str, trace: str = "") -> bytes:
    error = {"errorType": kind, "errorMessage": message, "stackTrace": trace.splitlines()}
    return json.dumps(error).encode()


class AnswerStream:
    """Is one answer. Nothing is sent before `start`; its pieces are sent by `flush`, `end` and `abort`."""

    def __init__(self, connection: Connection, path: str) -> None:
        self._connection = connection
        self._path = path
        self._waiting = bytearray()

    def start(self, status: int, headers: Headers) -> None:
        self._waiting += self._connection.head("POST", self._path, STREAMED)
        self.write(json.dumps(answer_fields(status, headers)).encode() + PRELUDE_END)

    def write(self, data: bytes) -> None:
        if data:
            self._waiting += b"%x\r\n%b\r\n" % (len(data), data)

    def flush(self) -> None:
        if self._waiting:
            self._connection.send(self._waiting)
            self._waiting.clear()

    def end(self) -> None:
        self._finish(b"")

    def abort(self, kind: str, message: str) -> None:
        """Breaks the answer off: what was sent stays sent, and Lambda reports that it is incomplete."""
        body = base64.b64encode(error_body(kind, message))
        self._finish(
            b"Lambda-Runtime-Function-Error-Type: %b\r\nLambda-Runtime-Function-Error-Body: %b\r\n"
            % (kind.encode(), body)
        )

    def _finish(self, trailers: bytes) -> None:
        self._waiting += b"0\r\n%b\r\n" % trailers
        self.flush()
        self._connection.reply()
