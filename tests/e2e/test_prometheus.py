"""Tests GET /metrics with Prometheus itself, where it is installed: it scrapes, and its linter finds nothing wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.probing import wait_for
from tests.support import SERVERS, SMALLEST, Platform, free_port, require, with_packages

pytestmark = pytest.mark.whole
CONFIG = """
scrape_configs:
  - job_name: homeport
    scrape_interval: 1s
    static_configs: [{{targets: ["{address}"]}}]
    authorization: {{credentials_file: {token}}}
"""
# It has all that has to be escaped in a label.
HOSTILE = 'no"such\\tool\nat all'
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    require(shutil.which("prometheus") and shutil.which("promtool"), "Debian's package prometheus is not installed")
    running = Platform(with_packages(tmp_path_factory.mktemp("home")))
    shop = running.deploy(SERVERS / SMALLEST, name="shop")
    running.run("call", "shop", "add", "a=1", "b=2")
    params = {"name": HOSTILE, "arguments": {}, "_meta": {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    with urllib.request.urlopen(urllib.request.Request(shop.mcp_url, json.dumps(body).encode(), headers)) as answer:
        answer.read()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def token(platform: Platform) -> str:
    made: str = platform.run("platform", "token", "create", "prometheus")["token"]
    return made


def address(platform: Platform) -> str:
    url: str = platform.run("platform", "status")["api_url"]
    return urllib.parse.urlsplit(url).netloc


def test_promtool_finds_nothing_wrong(platform: Platform, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    asked = urllib.request.Request(f"http://{address(platform)}/metrics", headers=headers)

    def text() -> bytes | None:
        with urllib.request.urlopen(asked) as answer:
            said: bytes = answer.read()
        return said if b"such" in said else None

    checked = subprocess.run(["promtool", "check", "metrics"], input=wait_for(text), capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


@pytest.fixture
def prometheus(platform: Platform, token: str, tmp_path: Path) -> Iterator[str]:
    """Yields the URL of a Prometheus that scrapes the platform."""
    (tmp_path / "token").write_text(token)
    config = tmp_path / "prometheus.yml"
    config.write_text(CONFIG.format(address=address(platform), token=tmp_path / "token"))
    listen = f"127.0.0.1:{free_port()}"
    arguments = [
        f"--config.file={config}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address={listen}",
        "--enable-feature=exemplar-storage",
    ]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(["prometheus", *arguments], stdout=log, stderr=log)
    yield f"http://{listen}"
    process.terminate()
    process.wait()


def test_prometheus_scrapes(prometheus: str) -> None:
    def found(query: str) -> list[dict[str, Any]] | None:
        try:
            with urllib.request.urlopen(f"{prometheus}/api/v1/query?query={urllib.parse.quote(query)}") as answer:
                results: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        except OSError:  # it is starting
            return None
        return results or None

    wait_for(lambda: found('up{job="homeport"} == 1'))
    (call,) = wait_for(lambda: found('mcp_server_operation_duration_seconds_count{gen_ai_tool_name="add"} >= 1'))
    assert call["metric"]["project"] == "shop"
    buckets = 'mcp_server_operation_duration_seconds_bucket{gen_ai_tool_name="add"}'
    (p95,) = wait_for(lambda: found(f"histogram_quantile(0.95, sum by (le) ({buckets}))"))
    assert float(p95["value"][1]) > 0

    # It asks for OpenMetrics, which has exemplars.
    query = urllib.parse.urlencode({"query": "mcp_server_operation_duration_seconds_bucket", "start": 0, "end": 2**33})

    def exemplars() -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{prometheus}/api/v1/query_exemplars?{query}") as answer:
            read: list[dict[str, Any]] = json.load(answer)["data"]
        return read

    (found_one,) = wait_for(exemplars)
    assert found_one["exemplars"][0]["labels"] == {"trace_id": TRACE}
