"""Encodes logs, spans and histograms as OTLP messages in JSON, as https://opentelemetry.io/docs/specs/otlp/ has it
under "JSON Protobuf Encoding": ids in hexadecimal digits, 64-bit integers as text, and enumerations as numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .. import __version__

Value = str | bool | int | float
Attributes = Mapping[str, Value | None]
Json = dict[str, object]

# SeverityNumber of the first of each range (opentelemetry/proto/logs/v1/logs.proto).
SEVERITIES = {"debug": 5, "info": 9, "warning": 13, "error": 17}
# SpanKind, StatusCode and AggregationTemporality (opentelemetry/proto/{trace,metrics}/v1).
_SERVER, _STATUS_ERROR, _CUMULATIVE = 2, 2, 2


@dataclass(frozen=True, slots=True)
class Log:
    """Is one log record, at `time` (seconds since 1970); `level` is one of SEVERITIES. `trace` is in hexadecimal
    digits. An attribute that is None is left out, here as everywhere.
    """

    time: float
    level: str
    body: str
    attributes: Attributes = field(default_factory=dict)
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """Is one operation of a server, from `start` to `end` (seconds since 1970).

    `trace` has 32 hexadecimal digits, `span` has 16, as has `parent`, the span of the caller, None where it is not
    known. `error` says how it failed, None if it did not.
    """

    trace: str
    span: str
    name: str
    start: float
    end: float
    error: str | None = None
    attributes: Attributes = field(default_factory=dict)
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """Is a series of a histogram: `counts` by bucket, one more than there are bounds, and the `total` of all values."""

    attributes: Attributes
    counts: Sequence[int]
    total: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts values since the start; the buckets end at `bounds`."""

    name: str
    unit: str
    bounds: Sequence[float]
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Number:
    """Is a gauge, or with `is_sum` a counter since the start, with one value for each set of attributes."""

    name: str
    unit: str
    values: Sequence[tuple[Attributes, int]]
    is_sum: bool = False


def logs_message(resource: Attributes, logs: Iterable[Log]) -> bytes:
    """Returns an ExportLogsServiceRequest; `resource` says who sends it, by OpenTelemetry's names."""
    return _message("Logs", "logRecords", [(resource, map(_log, logs))])


def spans_message(groups: Iterable[tuple[Attributes, Iterable[Span]]]) -> bytes:
    """Returns an ExportTraceServiceRequest with spans of several resources."""
    return _message("Spans", "spans", ((resource, map(_span, spans)) for resource, spans in groups))


def metrics_message(
    groups: Iterable[tuple[Attributes, Iterable[Histogram | Number]]], start: float, now: float
) -> bytes:
    """Returns an ExportMetricsServiceRequest of what was counted in several resources from `start` until `now` (seconds
    since 1970).
    """
    times: Json = {"startTimeUnixNano": _nano(start), "timeUnixNano": _nano(now)}
    return _message(
        "Metrics", "metrics", ((resource, [_metric(each, times) for each in metrics]) for resource, metrics in groups)
    )


def _message(signal: str, name: str, groups: Iterable[tuple[Attributes, Iterable[Json]]]) -> bytes:
    scope = {"name": "homeport", "version": __version__}
    resources = [
        {"resource": {"attributes": _attributes(resource)}, f"scope{signal}": [{"scope": scope, name: list(items)}]}
        for resource, items in groups
    ]
    whole = {f"resource{signal}": resources}
    # Lone surrogates, which no UTF-8 has, are not valid in a protobuf string.
    text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def _log(log: Log) -> Json:
    return {
        "timeUnixNano": _nano(log.time),
        "severityNumber": SEVERITIES[log.level],
        "severityText": log.level.upper(),
        "body": {"stringValue": log.body},
        "attributes": _attributes(log.attributes),
        **({"traceId": log.trace} if log.trace else {}),
    }


def _span(span: Span) -> Json:
    return {
        "traceId": span.trace,
        "spanId": span.span,
        **({"parentSpanId": span.parent} if span.parent else {}),
        "name": span.name,
        "kind": _SERVER,
        "startTimeUnixNano": _nano(span.start),
        "endTimeUnixNano": _nano(span.end),
        "attributes": _attributes(span.attributes),
        **({"status": {"code": _STATUS_ERROR, "message": span.error}} if span.error else {}),
    }


def _metric(metric: Histogram | Number, times: Json) -> Json:
    said: Json = {"name": metric.name, "unit": metric.unit}
    if isinstance(metric, Histogram):
        points = [{**times, **_point(metric, point)} for point in metric.points]
        return {**said, "histogram": {"aggregationTemporality": _CUMULATIVE, "dataPoints": points}}
    values = [{**times, "attributes": _attributes(about), "asInt": str(value)} for about, value in metric.values]
    if metric.is_sum:
        return {**said, "sum": {"aggregationTemporality": _CUMULATIVE, "isMonotonic": True, "dataPoints": values}}
    return {**said, "gauge": {"dataPoints": values}}


def _point(metric: Histogram, point: Point) -> Json:
    return {
        "attributes": _attributes(point.attributes),
        "count": str(sum(point.counts)),
        "sum": point.total,
        "bucketCounts": [str(count) for count in point.counts],
        "explicitBounds": list(metric.bounds),
    }


def _attributes(said: Attributes) -> list[Json]:
    return [{"key": key, "value": _value(value)} for key, value in said.items() if value is not None]


def _value(value: Value) -> Json:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}


def _nano(seconds: float) -> str:
    return str(round(seconds * 1_000_000) * 1000)
