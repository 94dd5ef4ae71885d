"""Tests that messages are what the protocol's own definitions read."""

from __future__ import annotations

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from platform_cli.otlp.encoding import (
    Histogram,
    Log,
    Number,
    Point,
    Span,
    logs_message,
    metrics_message,
    spans_message,
)

from .collector import read_json

RESOURCE = {"service.name": "shop"}
TRACE, SPAN, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"


def test_log() -> None:
    log = Log(1_700_000_000.5, "warning", "it\ud800 went", {"worker": 7, "cold": True, "none": None}, TRACE)
    request = ParseDict(read_json(logs_message(RESOURCE, [log])), ExportLogsServiceRequest())
    (found,) = request.resource_logs
    assert [(each.key, each.value.string_value) for each in found.resource.attributes] == [("service.name", "shop")]
    (record,) = found.scope_logs[0].log_records
    assert (record.time_unix_nano, record.severity_number, record.severity_text) == (
        1_700_000_000_500_000_000,
        13,
        "WARNING",
    )
    assert record.body.string_value == "it? went"
    assert record.trace_id.hex() == TRACE
    assert {each.key: each.value.WhichOneof("value") for each in record.attributes} == {
        "worker": "int_value", "cold": "bool_value",
    }  # fmt: skip


def test_span() -> None:
    spans = [
        Span(TRACE, SPAN, "tools/call add", 1.0, 1.25, None, {"gen_ai.tool.name": "add"}),
        Span(TRACE, SPAN, "tools/call add", 1.0, 1.25, "exception", parent=PARENT),
    ]
    request = ParseDict(read_json(spans_message([(RESOURCE, spans)])), ExportTraceServiceRequest())
    good, bad = request.resource_spans[0].scope_spans[0].spans
    assert (good.trace_id.hex(), good.span_id.hex(), good.name, good.kind) == (TRACE, SPAN, "tools/call add", 2)
    assert good.end_time_unix_nano - good.start_time_unix_nano == 250_000_000
    assert (good.parent_span_id, bad.parent_span_id.hex()) == (b"", PARENT)
    assert (good.status.code, bad.status.code, bad.status.message) == (0, 2, "exception")


def test_metrics() -> None:
    metrics: list[Histogram | Number] = [
        Histogram(
            "mcp.server.operation.duration", "s", (0.1, 1.0), [Point({"mcp.method.name": "ping"}, (3, 0, 1), 4.5)]
        ),
        Number("homeport.workers", "{worker}", [({"homeport.project": "shop"}, 2)]),
        Number("homeport.operations.lost", "{operation}", [({}, 0)], is_sum=True),
    ]
    request = ParseDict(read_json(metrics_message([(RESOURCE, metrics)], 1.0, 2.0)), ExportMetricsServiceRequest())
    histogram, gauge, counter = request.resource_metrics[0].scope_metrics[0].metrics
    (point,) = histogram.histogram.data_points
    assert (point.count, point.sum, list(point.bucket_counts), list(point.explicit_bounds)) == (
        4,
        4.5,
        [3, 0, 1],
        [0.1, 1.0],
    )
    assert histogram.histogram.aggregation_temporality == 2
    assert (point.start_time_unix_nano, point.time_unix_nano) == (1_000_000_000, 2_000_000_000)
    assert gauge.gauge.data_points[0].as_int == 2
    assert counter.sum.is_monotonic
