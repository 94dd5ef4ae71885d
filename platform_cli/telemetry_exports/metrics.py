"""Makes OpenTelemetry's metrics of the platform's counters."""

from __future__ import annotations

from collections.abc import Mapping

from ..otlp.encoding import Attributes, Histogram, Number, Point
from ..telemetry.prometheus import BUCKETS, Counted

DURATION = "mcp.server.operation.duration"
NAMES = ("mcp.method.name", "gen_ai.tool.name", "gen_ai.prompt.name", "error.type", "mcp.protocol.version")


def metrics_of(counted: list[Counted], workers: Mapping[str, int]) -> dict[str, list[Histogram | Number]]:
    """Returns the metrics of each project."""
    points: dict[str, list[Point]] = {}
    for each in counted:
        points.setdefault(each.project, []).append(Point(_attributes(each), each.counts, each.seconds))
    return {
        project: [
            Histogram(DURATION, "s", BUCKETS, points.get(project, [])),
            Number("homeport.workers", "{worker}", [({}, workers.get(project, 0))]),
        ]
        for project in sorted({*points, *workers})
    }


def _attributes(counted: Counted) -> Attributes:
    said = {name: value or None for name, value in zip(NAMES, counted.labels, strict=True)}
    return {**said, "network.transport": "tcp"}
