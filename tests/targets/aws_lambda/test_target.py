"""Tests everyday operations, and what is refused before anything is changed."""

from __future__ import annotations

import datetime
import getpass
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from platform_cli.clients.mcp_client import list_tools
from tests.aws.control_plane import ControlPlane
from tests.clients.inspecting import inspecting
from tests.command_line import Command
from tests.support import ROOT, CommandFailedError, Platform

from .conftest import copy_project


@pytest.fixture(scope="module")
def talks(laptop: Platform, plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Deploys a project that everybody may call."""
    folder = copy_project(tmp_path_factory.mktemp("talks"), '[auth]\nmode = "none"\n')
    yield laptop.run("deploy", str(folder), "--name", "talks")
    laptop.run("destroy", "talks", "--yes")


def run(laptop: Platform, *arguments: str) -> str:
    """Runs a command, and returns what a person sees."""
    done = Command(arguments, cwd=ROOT, env=laptop.environment).wait(300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_open_project_says_that_it_is(laptop: Platform, talks: dict[str, Any], tmp_path: Path) -> None:
    assert (talks["auth"], "token" in talks) == ("none", False)
    assert laptop.run("status", "talks")["auth"] == "none"
    folder = copy_project(tmp_path, '[auth]\nmode = "none"\n')
    assert "is open to everyone" in run(laptop, "deploy", str(folder), "--name", "talks")


def test_deployments_say_who_and_what_it_took(laptop: Platform, talks: dict[str, Any]) -> None:
    (one,) = laptop.run("deployments", "talks")["deployments"]
    who = f"{getpass.getuser()}@{socket.gethostname()}"
    assert (one["release"], one["source"], one["who"], one["result"]) == ("v1", "laptop", who, "live")
    assert 0 < one["seconds"] < time.time() - one["at"] + 60
    shown = run(laptop, "deployments", "talks", "--target", "lambda")
    assert f"{one['seconds']:.1f} s" in shown
    assert who in shown


def test_status_says_what_a_million_calls_cost(laptop: Platform, plane: ControlPlane, talks: dict[str, Any]) -> None:
    assert laptop.run("status", "talks")["cost"] is None, "nothing was measured yet"
    name = "homeport-talks"
    dimensions = [{"Name": "FunctionName", "Value": name}, {"Name": "Resource", "Value": f"{name}:live"}]
    at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    data = [
        {"MetricName": "Duration", "Dimensions": dimensions, "Timestamp": at, "Value": ms, "Unit": "Milliseconds"}
        for ms in (100.0, 300.0)
    ]
    plane.moto.client("cloudwatch").put_metric_data(Namespace="AWS/Lambda", MetricData=data)
    status = laptop.run("status", "talks")
    # AWS's price page: 1 GB for 0.2 s is 2.67 USD a million on arm64 and 3.33 on x86_64, and 0.20 for requests
    dollars = {"arm64": 2.87, "x86_64": 3.53}[status["architecture"]]
    cost = status["cost"]
    assert (cost["usd_per_million_calls"], cost["average_ms"], cost["calls"]) == (dollars, 200.0, 2)
    shown = run(laptop, "status", "talks")
    assert f"about ${dollars:.2f} for a million calls of 200 ms (2 measured in 7 days; prices of us-east-1" in shown
    assert "without cold starts" in shown


def test_tools_call_and_connect_by_name(laptop: Platform, talks: dict[str, Any]) -> None:
    assert "add" in [tool["name"] for tool in laptop.run("tools", "talks")["tools"]]
    assert laptop.run("call", "talks", "add", "a=19", "b=23")["content"][0]["text"] == "42"
    config = laptop.run("connect", "talks", "--client", "claude-code")["config"]
    assert config["mcpServers"]["talks"]["url"] == talks["mcp_url"]


def test_logs_are_the_servers_records_and_lambdas_own_lines(
    laptop: Platform, plane: ControlPlane, talks: dict[str, Any]
) -> None:
    now = int(time.time() * 1000)
    group = {"logGroupName": "/aws/lambda/homeport-talks", "logStreamName": "2026/11/25/[1]abc"}
    logs = plane.moto.client("logs")
    logs.create_log_stream(**group)

    def put(at: int, *messages: str) -> None:
        events = [{"timestamp": at + place, "message": message} for place, message in enumerate(messages)]
        logs.put_log_events(**group, logEvents=events)

    def shown(*options: str) -> list[str]:
        lines = run(laptop, "logs", "talks", "--json", *options).splitlines()
        return [json.loads(line)["message"] for line in lines]

    record = {"time": now / 1000, "level": "warning", "release": "v1", "message": "from the server"}
    put(now - 3_600_000, "an hour ago")
    put(now, json.dumps(record), "REPORT RequestId: 1 Duration: 12.5 ms")
    assert shown() == ["an hour ago", "from the server", "REPORT RequestId: 1 Duration: 12.5 ms"]
    assert shown("--level", "warning") == ["from the server"]
    assert shown("--release", "v1") == ["from the server"]
    assert shown("--since", "10m", "--grep", "RE.ORT") == ["REPORT RequestId: 1 Duration: 12.5 ms"]

    command = [sys.executable, "-m", "platform_cli", "logs", "talks", "--json", "--follow", "--grep", "hour|later"]
    with subprocess.Popen(command, env=laptop.environment, cwd=ROOT, stdout=subprocess.PIPE, text=True) as following:
        try:
            assert following.stdout is not None
            assert json.loads(following.stdout.readline())["message"] == "an hour ago"
            put(now + 1000, "later")
            assert json.loads(following.stdout.readline())["message"] == "later", "and nothing twice"
        finally:
            following.send_signal(signal.SIGINT)
    assert following.returncode == 130


def test_errors_are_resolved_and_come_back(laptop: Platform, plane: ControlPlane, talks: dict[str, Any]) -> None:
    group = {"logGroupName": "/aws/lambda/homeport-talks", "logStreamName": "2026/11/25/[1]errors"}
    logs = plane.moto.client("logs")
    logs.create_log_stream(**group)
    frame = {"file": "server.py", "function": "add", "line": 7, "own": True}

    def happens(release: str) -> None:
        error = {"type": "KeyError", "message": "'x'", "method": "tools/call", "name": "add", "frames": [frame]}
        line = json.dumps({"error": error, "time": 1.0, "release": release}, separators=(",", ":"))
        logs.put_log_events(**group, logEvents=[{"timestamp": int(time.time() * 1000), "message": line}])

    happens(talks["release"])
    (error,) = laptop.run("errors", "talks")["errors"]
    assert (error["state"], error["count"], error["first_release"]) == ("open", 1, talks["release"])
    number = str(error["id"])
    changed = laptop.run("errors", "talks", number, "resolve")
    assert (changed["state"], changed["state_release"]) == ("resolved", talks["release"])
    assert laptop.run("errors", "talks")["errors"] == []
    happens("v9")
    (error,) = laptop.run("errors", "talks")["errors"]
    assert (error["state"], error["state_release"], error["count"]) == ("regressed", "v9", 2)
    assert laptop.run("errors", "talks", number, "mute")["state"] == "muted"
    assert laptop.run("errors", "talks")["errors"] == []
    assert laptop.run("errors", "talks", number)["state"] == "muted"
    assert "error" not in run(laptop, "logs", "talks", "--grep", "KeyError")


@pytest.mark.whole
def test_the_inspector_reaches_a_guarded_function(laptop: Platform, tmp_path: Path) -> None:
    deployed = laptop.run("deploy", str(copy_project(tmp_path)), "--name", "guarded")
    with inspecting(laptop, "guarded") as inspector:
        assert inspector.printed["url"] == inspector.url == deployed["mcp_url"]
        assert inspector.headers == {"Authorization": f"Bearer {deployed['token']}"}
        assert "add" in [tool["name"] for tool in list_tools(inspector.url, inspector.headers)]
    laptop.run("destroy", "guarded", "--yes")


@pytest.mark.parametrize(
    ("config", "options", "message"),
    [
        ("[deployment]\nsessions = true\n", (), "sessions = true keeps sessions in one process"),
        ("[deployment]\ncommand = 'node x.mjs'\n", (), "a stdio command cannot run on Lambda"),
        ("[scaling]\nmin = 1\n[deployment.lambda]\nsnap_start = true\n", (), "Lambda has no function with both"),
        ("[deployment.lambda]\nsnap_start = true\n", (), "snap_start needs Python 3.12"),
        ("[environment]\nKEY = '${secrets.KEY}'\n", (), "needs the secret KEY, and secrets belong to a project"),
        ("", ("--name", "a" * 56), "Lambda has room for 55"),
        (f"[domains]\nnames = {[f'host-{n}.example.com' for n in range(200)]}\n", (), "room for 4096 bytes"),
    ],
)
def test_what_cannot_run_there_is_refused_before_anything_is_changed(
    laptop: Platform, plane: ControlPlane, tmp_path: Path, config: str, options: tuple[str, ...], message: str
) -> None:
    if "snap_start" in config and sys.version_info >= (3, 12):
        pytest.skip("this Python has it")
    (tmp_path / "server.py").write_text((ROOT / "tests/servers/mcp2_lowlevel/server.py").read_text())
    (tmp_path / "requirements.txt").write_text("mcp>=2.3,<3\n")
    (tmp_path / "fastmcp.toml").write_text(config)
    plane.calls.clear()
    with pytest.raises(CommandFailedError) as caught:
        laptop.run("deploy", str(tmp_path), *options)
    assert (caught.value.code, message in caught.value.error["message"]) == (2, True)
    assert plane.calls == []
