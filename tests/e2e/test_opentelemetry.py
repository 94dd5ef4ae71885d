"""Tests that an OpenTelemetry collector gets spans, logs and metrics of what was called, also if it was away."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.probing import wait_for
from tests.otlp.collector import Collector, collector
from tests.support import Deployment, Platform, with_packages

pytestmark = pytest.mark.whole
SERVER = """
import logging

from mcp.server import MCPServer

mcp = MCPServer("shop")


@mcp.tool()
def add(a: int, b: int) -> int:
    logging.getLogger("shop").warning("adding")
    return a + b


@mcp.tool()
def late() -> str:
    return "late"


@mcp.tool()
def last() -> str:
    return "last"


@mcp.tool()
def crash() -> str:
    return {}["no such key"]


mcp.run()
"""
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(scope="module")
def there() -> Iterator[Collector]:
    with collector() as found:
        yield found


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, there: Collector) -> Iterator[Platform]:
    running = Platform(with_packages(tmp_path_factory.mktemp("home"), "mcp2_mcpserver"))
    running.environment |= {
        "OTEL_EXPORTER_OTLP_ENDPOINT": there.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20of-the-collector",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_BLRP_SCHEDULE_DELAY": "100",
        "OTEL_METRIC_EXPORT_INTERVAL": "100",
    }
    yield running
    running.stop()


@pytest.fixture(scope="module")
def shop(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "server.py").write_text(SERVER)
    (folder / "requirements.txt").write_text("mcp>=2\n")
    # The exporter has looked at what is there before.
    platform.run("platform", "start")
    wait_for((platform.home / "otlp.json").exists)
    return platform.deploy(folder, name="shop")


def call(shop: Deployment, tool: str, **arguments: int) -> None:
    meta = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    body = {**asked, "params": {"name": tool, "arguments": arguments, "_meta": meta}}
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    request = urllib.request.Request(shop.mcp_url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        answer.read()


def attributes(item: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in item.attributes}


def test_spans(shop: Deployment, there: Collector) -> None:
    call(shop, "add", a=1, b=2)
    call(shop, "crash")
    spans = wait_for(lambda: found if len(found := [s for s in there.spans if "tools/call" in s.name]) >= 2 else None)
    add, crash = spans
    assert {span.trace_id.hex() for span in spans} == {TRACE}, "the caller's trace goes on"
    assert add.start_time_unix_nano < add.end_time_unix_nano
    said = attributes(add)
    assert (add.name, said["mcp.method.name"], said["gen_ai.operation.name"], said["gen_ai.tool.name"]) == (
        "tools/call add", "tools/call", "execute_tool", "add",
    )  # fmt: skip
    assert (add.status.code, crash.status.code, attributes(crash)["error.type"]) == (0, 2, "tool_error")
    resources = [each.resource for each in there.of("/v1/traces", "resource_spans")]
    assert {attributes(resource)["service.name"] for resource in resources} == {"shop"}
    assert there.headers[0]["authorization"] == "Bearer of-the-collector"


def test_logs(shop: Deployment, there: Collector) -> None:
    call(shop, "add", a=1, b=2)
    wait_for(lambda: "adding" in "\n".join(log.body.string_value for log in there.logs))
    calls = wait_for(lambda: [log for log in there.logs if log.body.string_value == "tools/call add: ok"])
    assert calls[0].trace_id.hex() == TRACE
    assert attributes(calls[0])["homeport.release"] == "v1"


def test_metrics(shop: Deployment, there: Collector) -> None:
    call(shop, "add", a=1, b=2)

    def counted() -> Any:
        points = [
            point
            for metric in there.metrics
            if metric.name == "mcp.server.operation.duration"
            for point in metric.histogram.data_points
            if attributes(point).get("gen_ai.tool.name") == "add"
        ]
        return points[-1] if points else None

    point = wait_for(counted)
    assert sum(point.bucket_counts) == point.count >= 1
    assert {"homeport.workers"} <= {metric.name for metric in there.metrics}


def test_what_a_collector_did_not_take_is_sent_again_once(
    platform: Platform, shop: Deployment, there: Collector
) -> None:
    there.answers = [(503, {}, b"")] * 6
    for _ in range(3):
        call(shop, "late")
    platform.run("platform", "restart")
    call(shop, "last")
    wait_for(lambda: any(span.name == "tools/call last" for span in there.spans))
    assert len([span for span in there.spans if span.name == "tools/call late"]) == 3
