"""Tests the audit log of a project: who called what, as the one who operates the platform reads it."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from platform_cli.audit import files
from tests.e2e.probing import DEADLINE_S, HEADERS, connect, wait_for
from tests.otlp.collector import Collector, collector
from tests.small_disks import fill, small_disk
from tests.support import CommandFailedError, Platform, with_packages

SERVER = """
import os
from mcp.server import MCPServer

mcp = MCPServer("expenses")


@mcp.tool()
def add_expense(amount: float, category: str, password: str = "") -> str:
    return f"{amount} for {category}"


@mcp.tool()
def fail(reason: str) -> str:
    raise ValueError(reason)


@mcp.tool()
def end(reason: str) -> None:
    os._exit(7)


@mcp.resource("expense://all")
def expenses() -> str:
    return "none"


mcp.run()
"""
SECRET = "hunter2-in-the-log"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = Platform(with_packages(tmp_path_factory.mktemp("home"), "mcp2_mcpserver"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("expenses")
    (folder / "server.py").write_text(SERVER)
    (folder / "requirements.txt").write_text("mcp>=2\n")
    (folder / "fastmcp.toml").write_text('[auth]\nmode = "token"\n')
    return folder


@pytest.fixture(scope="module")
def deployed(platform: Platform, project: Path) -> dict[str, Any]:
    return platform.run("deploy", str(project), "--name", "expenses")


@pytest.fixture
def expenses(deployed: dict[str, Any]) -> str:
    url: str = deployed["url"]
    return url


@pytest.fixture
def token(deployed: dict[str, Any]) -> str:
    token: str = deployed["token"]
    return token


def said(platform: Platform, name: str, *arguments: str) -> list[dict[str, Any]]:
    """Returns the lines that `homeport audit` shows."""
    lines = platform.start("audit", name, *arguments, "--json").wait(DEADLINE_S).stdout.splitlines()
    return [json.loads(line) for line in lines]


def post(url: str, method: str, params: dict[str, Any], token: str | None) -> int:
    connection = connect(url)
    try:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        headers = {**HEADERS, **({"Authorization": f"Bearer {token}"} if token else {})}
        connection.request("POST", "/mcp", json.dumps(message), headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def test_a_call_has_a_line(platform: Platform, expenses: str, token: str) -> None:
    arguments = {"amount": 50, "category": "food", "password": SECRET}
    assert post(expenses, "tools/call", {"name": "add_expense", "arguments": arguments}, token) == 200
    (line,) = wait_for(lambda: said(platform, "expenses", "--tool", "add_expense"))
    assert (line["client_id"], line["user_id"], line["ip_address"]) == ("project-token", None, "127.0.0.1")
    assert line["arguments"] == {"amount": 50, "category": "food", "password": "[redacted]"}
    assert (line["tool_name"], line["method"], line["result"]) == ("add_expense", "tools/call", "success")
    assert (line["project"], line["release"]) == ("expenses", "v1")
    logged = platform.start("logs", "expenses").wait(DEADLINE_S).stdout
    assert SECRET not in logged
    assert "food" not in logged, "arguments are in the audit log alone"
    calls = [json.loads(each) for each in logged.splitlines() if "add_expense" in each]
    assert line["request"] == calls[0]["request"], "by which the call's other lines are found"


def test_what_became_of_it(platform: Platform, expenses: str, token: str) -> None:
    post(expenses, "tools/call", {"name": "fail", "arguments": {"reason": "no"}}, token)
    post(expenses, "resources/read", {"uri": "expense://all"}, token)
    assert post(expenses, "tools/call", {"name": "add_expense", "arguments": {}}, None) == 401
    with pytest.raises((OSError, http.client.HTTPException)):
        post(expenses, "tools/call", {"name": "end", "arguments": {"reason": "now"}}, token)
    (crash,) = wait_for(lambda: said(platform, "expenses", "--result", "crash"))
    assert (crash["tool_name"], crash["arguments"], crash["reason"]) == ("end", {"reason": "now"}, "exit 7")
    (failed,) = said(platform, "expenses", "--result", "error")
    assert failed["tool_name"] == "fail"
    (read,) = said(platform, "expenses", "--tool", "expense:*")
    assert (read["method"], read["result"]) == ("resources/read", "success")
    refused = said(platform, "expenses", "--result", "unauthorized")[-1]
    assert (refused["client_id"], refused["tool_name"], refused["reason"]) == (None, None, "invalid_token")


def test_the_chain_outlives_the_platform(platform: Platform, expenses: str, token: str) -> None:
    before = platform.run("audit", "verify", "expenses")
    assert before["ok"]
    platform.stop()
    platform.run("platform", "start")
    wait_for(lambda: post(expenses, "tools/call", {"name": "add_expense", "arguments": {}}, token) == 200)
    wait_for(lambda: platform.run("audit", "verify", "expenses")["lines"] > before["lines"])
    command = [sys.executable, "-m", "platform_cli", "audit", "export", "expenses", "--format", "ocsf"]
    exported = subprocess.run(command, env=platform.environment, capture_output=True, text=True, check=True).stdout
    assert json.loads(exported.splitlines()[0])["class_uid"] == 6003


def test_it_is_sent_elsewhere(platform: Platform, expenses: str, token: str) -> None:
    """What came before the export and what comes after it, over an end of the platform, and each line once."""
    with collector() as running:
        url = f"otlp+{running.url}/v1/logs"
        made = platform.run("audit", "export-to", "add", url, "--private", "--project", "expenses")
        assert (made["kind"], made["target"], made["behind"]) == ("otlp", f"otlp+{running.url}/…", 0)
        for number in (1, 2):
            post(expenses, "tools/call", {"name": "fail", "arguments": {"reason": f"sent {number}"}}, token)
            assert wait_for(lambda: len(sent(running)) == number)  # noqa: B023
            platform.run("platform", "restart")
        assert sent(running) == [{"reason": "sent 1"}, {"reason": "sent 2"}]
        platform.run("audit", "export-to", "remove", made["id"])
        assert platform.run("audit", "export-to", "list")["exports"] == []


def sent(running: Collector) -> list[dict[str, Any]]:
    """Returns the arguments of the calls that a collector got."""
    return [json.loads(record.body.string_value)["arguments"] for record in list(running.logs)]


def test_an_edit_is_found(platform: Platform, expenses: str, token: str) -> None:
    folder = files.audit_folder(platform.home / "projects" / "expenses")
    path = files.path_of(folder, 1)
    written = path.read_bytes()
    path.write_bytes(written.replace(b'"amount":50', b'"amount":51'))
    with pytest.raises(CommandFailedError) as caught:
        platform.run("audit", "verify", "expenses")
    assert caught.value.code == 1
    path.write_bytes(written)
    assert platform.run("audit", "verify", "expenses")["ok"]


@pytest.mark.whole
def test_on_a_full_disk_calls_go_on_and_the_gap_is_in_the_chain(platform: Platform, project: Path) -> None:
    with small_disk(platform.home / "projects" / "full" / "audit", 8) as disk:
        deployed = platform.run("deploy", str(project), "--name", "full")
        call = {"name": "add_expense", "arguments": {"amount": 1, "category": "x" * 900}}

        def statuses() -> set[int]:
            return {post(deployed["url"], "tools/call", call, deployed["token"]) for _ in range(20)}

        assert statuses() == {200}
        filler = fill(disk)
        assert statuses() == {200}
        filler.unlink()
        gaps = wait_for(lambda: statuses() == {200} and [line for line in said(platform, "full") if line.get("lost")])
        assert {(gap["result"], gap["reason"]) for gap in gaps} == {("refused", "not_written")}
        assert platform.run("audit", "verify", "full")["ok"]


def test_who_lets_everyone_in_asks_for_it(platform: Platform, project: Path, tmp_path: Path) -> None:
    for name in ("server.py", "requirements.txt"):
        (tmp_path / name).write_bytes((project / name).read_bytes())
    opened = platform.deploy(tmp_path, name="opened")
    call = {"name": "add_expense", "arguments": {"amount": 1, "category": "food"}}
    assert post(opened.url, "tools/call", call, None) == 200
    nothing = platform.start("audit", "opened", "--json").wait(DEADLINE_S)
    assert (nothing.stdout, "[audit] in its fastmcp.toml" in nothing.stderr) == ("", True)
    (tmp_path / "fastmcp.toml").write_text('[audit]\narguments = "hash"\n')
    opened = platform.deploy(tmp_path, name="opened")
    assert post(opened.url, "tools/call", call, None) == 200
    (line,) = wait_for(lambda: said(platform, "opened"))
    assert (line["client_id"], set(line["arguments"]), line["release"]) == (None, {"sha256"}, "v2")
    platform.run("destroy", "opened", "--yes")
    with pytest.raises(CommandFailedError) as caught:
        platform.run("audit", "verify", "opened")
    assert caught.value.code == 4
