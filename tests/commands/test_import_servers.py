"""Tests `homeport import`: the servers of a client's configuration become projects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.conftest import Run, error_of
from tests.support import SERVERS, Platform

SERVER = SERVERS / "mcp2_lowlevel" / "server.py"


@pytest.fixture
def file(platform: Platform, tmp_path: Path) -> Iterator[Path]:
    """Writes the configuration of a client with two servers that run, one that does not, and one with a URL."""
    servers = {
        "imported one": {"command": "python", "args": [str(SERVER)], "env": {"GREETING": "sk-hidden"}},
        "broken": {"command": "python", "args": [str(tmp_path / "gone.py")]},
        "imported-two": {"command": "uv", "args": ["run", "server.py"], "cwd": str(SERVER.parent)},
        "web": {"url": "https://example.com/mcp"},
    }
    path = tmp_path / ".mcp.json"
    path.write_text(json.dumps({"mcpServers": servers}))
    yield path
    for project in platform.run("list")["projects"]:
        if project["project"].startswith("imported"):
            platform.run("destroy", project["project"])


def test_each_server_becomes_a_project_and_its_variables_secrets(run: Run, file: Path) -> None:
    done = run("import", str(file), "--json")
    assert done.code == 1
    answers = {answer["server"]: answer for answer in done.json["servers"]}
    assert {name: answer["ok"] for name, answer in answers.items()} == {
        "imported one": True, "broken": False, "imported-two": True, "web": True,
    }  # fmt: skip
    assert done.json["ok"] is False
    assert answers["imported one"]["project"] == "imported-one"
    assert "gone.py does not exist" in answers["broken"]["error"]["message"]
    assert "web: has a URL already, passed over" in done.stderr
    assert "sk-hidden" not in done.stdout + done.stderr
    assert run("list-secrets", "--project", "imported-one", "--json").json["secrets"][0]["name"] == "GREETING"
    assert run("call", "imported-one", "whoami").stdout.split()[1:] == ["sk-hidden"]


def test_one_by_its_name(run: Run, file: Path) -> None:
    done = run("import", str(file), "--only", "imported-two")
    assert done.code == 0, done.stderr
    assert "imported-two v1 is live" in done.stdout
    assert run("status", "imported-one").code == 4
    assert error_of(run("import", str(file), "--only", "nobody", "--json"))[:2] == (2, "input")


def test_a_file_that_is_not_there(run: Run, tmp_path: Path) -> None:
    code, category, text, _ = error_of(run("import", str(tmp_path / "none.json"), "--json"))
    assert (code, category) == (2, "config")
    assert "none.json: cannot be read" in text
