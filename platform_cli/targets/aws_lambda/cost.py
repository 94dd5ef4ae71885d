"""Estimates what a million calls cost, from the function's memory and processor and the duration of its calls.

Prices are those of https://aws.amazon.com/lambda/pricing/ for us-east-1, first tier, as known in November 2026: 0.20
USD for a million requests, and per second and GB of memory 0.0000166667 USD on x86_64 and 0.0000133334 USD on arm64.
"""

from __future__ import annotations

import datetime
from typing import Any

from ...api.status import Cost
from .client import AWS, absent
from .names import ALIAS, function_name
from .versions import Version

PRICES_OF = "us-east-1, November 2026"
REQUESTS_USD = 0.20
GB_SECOND_USD = {"x86_64": 0.0000166667, "arm64": 0.0000133334}
MILLION = 1_000_000
DAYS = 7
NOT_INCLUDED = (
    "cold starts", "instances kept ready", "SnapStart", "secrets", "tables", "logs", "traffic", "the free tier",
)  # fmt: skip


def estimate(aws: AWS, project: str, version: Version) -> Cost | None:
    """Returns the estimate, None if CloudWatch has no calls of the last days, or may not be read."""
    measured = _measured(aws, project)
    if measured is None:
        return None
    calls, average_ms = measured
    return {
        "usd_per_million_calls": round(million_usd(version, average_ms), 2),
        "average_ms": round(average_ms, 1),
        "calls": calls,
        "days": DAYS,
        "prices_of": PRICES_OF,
        "not_included": list(NOT_INCLUDED),
    }


def million_usd(version: Version, average_ms: float) -> float:
    gb_seconds: float = version.configuration["MemorySize"] / 1024 * average_ms / 1000 * MILLION
    return REQUESTS_USD + gb_seconds * GB_SECOND_USD[version.configuration["Architectures"][0]]


def _measured(aws: AWS, project: str) -> tuple[int, float] | None:
    """Returns how many calls `live` had, and their average duration in milliseconds."""
    now = datetime.datetime.now(datetime.UTC)
    name = function_name(project)
    points: list[dict[str, Any]] = []
    with absent("AccessDenied", "AccessDeniedException"):
        points = aws.metrics.get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName="Duration",
            Dimensions=[{"Name": "FunctionName", "Value": name}, {"Name": "Resource", "Value": f"{name}:{ALIAS}"}],
            StartTime=now - datetime.timedelta(days=DAYS),
            EndTime=now,
            Period=DAYS * 24 * 3600,
            Statistics=["Average", "SampleCount"],
        )["Datapoints"]
    calls = sum(point["SampleCount"] for point in points)
    if not calls:
        return None
    return int(calls), sum(point["Average"] * point["SampleCount"] for point in points) / calls
