"""Is an OpenTelemetry collector: it reads OTLP/HTTP by the protocol's own definitions, and keeps what it got."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.http_servers import serving

REQUESTS: dict[str, type[Message]] = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}
# What is hexadecimal in OTLP's JSON, and base64 in that of protobuf.
IDS = ("traceId", "spanId", "parentSpanId")


def read_json(body: bytes) -> dict[str, Any]:
    """Returns an OTLP message as protobuf's own JSON."""
    read: dict[str, Any] = json.loads(body, object_pairs_hook=_pairs)
    return read


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: base64.b64encode(bytes.fromhex(value)).decode() if key in IDS else value for key, value in pairs}


class Collector:
    """Holds what came, by path, with the headers; `answers` are statuses to give before it takes anything."""

    def __init__(self) -> None:
        self.url = ""
        self.messages: dict[str, list[Any]] = {path: [] for path in REQUESTS}
        self.headers: list[dict[str, str]] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []

    def of(self, path: str, *names: str) -> list[Any]:
        """Returns what is at the end of those repeated fields in all messages."""
        found = list(self.messages[path])
        for name in names:
            found = [inner for each in found for inner in getattr(each, name)]
        return found

    @property
    def spans(self) -> list[Any]:
        return self.of("/v1/traces", "resource_spans", "scope_spans", "spans")

    @property
    def logs(self) -> list[Any]:
        return self.of("/v1/logs", "resource_logs", "scope_logs", "log_records")

    @property
    def metrics(self) -> list[Any]:
        return self.of("/v1/metrics", "resource_metrics", "scope_metrics", "metrics")


@contextmanager
def collector() -> Iterator[Collector]:
    kept = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if kept.answers:
                status, headers, answer = kept.answers.pop(0)
            else:
                status, headers, answer = 200, {}, b"{}"
            if status == 200:
                assert self.headers["Content-Type"] == "application/json"
                if self.headers["Content-Encoding"] == "gzip":
                    body = gzip.decompress(body)
                kept.headers.append(dict(self.headers))
                kept.messages[self.path].append(ParseDict(read_json(body), REQUESTS[self.path]()))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    with serving(Handler) as url:
        kept.url = url
        yield kept
