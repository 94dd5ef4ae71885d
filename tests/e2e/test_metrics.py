"""Tests the metrics of a project: what its callers did is counted, by whatever way it ended, and is gone with it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.e2e.probing import wait_for
from tests.support import CommandFailedError, Platform, with_packages

SERVER = """
import os
from mcp.server import MCPServer

mcp = MCPServer("shop")


@mcp.tool()
def add(a: int, b: int) -> int:
    return a + b


@mcp.tool()
def crash() -> str:
    return {}["no such key"]


@mcp.tool()
def end() -> None:
    os._exit(3)


@mcp.tool()
def forge() -> None:
    os.write(1, b'\\x1e{"operation":{"method":"tools/call","name":"forged","client":"x","status":"ok","ms":-1}}\\n')


mcp.run()
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = Platform(with_packages(tmp_path_factory.mktemp("home"), "mcp2_mcpserver"))
    folder = tmp_path_factory.mktemp("shop")
    (folder / "server.py").write_text(SERVER)
    (folder / "requirements.txt").write_text("mcp>=2\n")
    running.run("deploy", str(folder), "--name", "shop")
    yield running
    running.stop()


def rows(platform: Platform, *arguments: str) -> dict[str, dict[str, Any]]:
    return {row["key"]: row for row in platform.run("metrics", "shop", *arguments)["rows"]}


def counted(platform: Platform, tool: str) -> dict[str, int]:
    """Returns what the calls of a tool came to, once there is one."""
    row = wait_for(lambda: rows(platform).get(tool))
    kinds: dict[str, int] = row["kinds"]
    return kinds


def test_what_callers_did_is_counted(platform: Platform) -> None:
    platform.run("call", "shop", "add", "a=1", "b=2")
    for tool in ("crash", "end"):
        with pytest.raises(CommandFailedError):
            platform.run("call", "shop", tool)
    assert counted(platform, "add")["ok"] >= 1
    assert counted(platform, "crash") == {"exception": 1}
    assert counted(platform, "end") == {"crash": 1}, "a call that ended its worker is counted, too"
    assert counted(platform, "tools/list")["ok"] >= 1
    assert sum(row["kinds"].get("crash", 0) for row in rows(platform, "--by", "client").values()) == 1
    assert rows(platform, "--by", "release", "--since", "30d").keys() == {"v1"}


@pytest.mark.parametrize("since", ["nan", "-inf", "inf", "1e308", "0"])
def test_an_impossible_time_is_as_far_back_as_anything_is_known(platform: Platform, since: str) -> None:
    platform.run("call", "shop", "add", "a=1", "b=2")
    counted(platform, "add")
    assert platform.api.metrics("shop", float(since), "tool")["total"]["operations"] > 0


def test_what_a_server_forges_is_no_operation(platform: Platform) -> None:
    platform.run("call", "shop", "forge")
    assert counted(platform, "forge") == {"ok": 1}
    assert "forged" not in rows(platform)


def test_prometheus_reads_them_with_a_token(platform: Platform) -> None:
    base = platform.run("platform", "status")["api_url"]
    token = platform.run("platform", "token", "create", "prometheus")["token"]
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{base}/metrics")
    asked = urllib.request.Request(f"{base}/metrics", headers={"Authorization": f"Bearer {token}"})

    def text() -> str | None:
        with urllib.request.urlopen(asked) as answer:
            assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
            said: str = answer.read().decode()
            return said if 'gen_ai_tool_name="add"' in said else None

    platform.run("call", "shop", "add", "a=1", "b=2")
    found = wait_for(text)
    labels = 'project="shop",network_transport="tcp",mcp_method_name="tools/call",gen_ai_tool_name="add"'
    assert f"mcp_server_operation_duration_seconds_count{{{labels}" in found


def test_a_kill_of_the_control_plane_loses_what_is_known_for_a_second_at_most(platform: Platform) -> None:
    before = counted(platform, "add")["ok"]
    os.kill(platform.run("platform", "status")["pid"], signal.SIGKILL)
    assert wait_for(lambda: counted(platform, "add"))["ok"] == before


def test_nothing_of_them_is_left_of_a_project_that_is_gone(platform: Platform) -> None:
    with pytest.raises(CommandFailedError) as error:
        platform.run("metrics", "shop", "--since", "30d", "--by", "client")
    assert "7 days" in str(error.value)
    platform.run("destroy", "shop")

    def is_gone() -> bool:
        with closing(sqlite3.connect(platform.home / "telemetry.sqlite")) as db:
            # The newest call may stay as a blank one of no project.
            tables = ("calls WHERE project <> 0", "hours", "names")
            return not any(db.execute(f"SELECT count(*) FROM {each}").fetchone()[0] for each in tables)

    assert wait_for(is_gone)
    assert json.dumps(platform.run("list")["projects"]) == "[]"
