from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from platform_cli import __version__
from tests.commands.conftest import DEADLINE_S, Run, ends_in_time, environment, error_of
from tests.support import ROOT, SERVERS, Platform


def test_start_status_stop(run: Run, tmp_path: Path) -> None:
    home = {"HOMEPORT_HOME": str(tmp_path / "platform")}
    assert run("platform", "status", "--json", env=home).json == {"ok": True, "running": False}
    assert run("platform", "status", env=home).stdout == "not running; `homeport platform start`\n"
    try:
        started = run("platform", "start", "--json", env=home).json
        assert (started["ok"], started["running"], started["version"]) == (True, True, __version__)
        assert run("platform", "start", "--json", env=home).json["pid"] == started["pid"]
        assert run("platform", "status", "--json", env=home).json == started
        restarted = run("platform", "restart", "--json", env=home).json
        assert restarted["pid"] != started["pid"]
        assert restarted == {**started, "pid": restarted["pid"]}
    finally:
        stopped = run("platform", "stop", "--json", env=home)
    assert stopped.json == {"ok": True, "running": False, "stopped": True}
    assert run("platform", "stop", env=home).stdout == "it was not running\n"


def test_a_subcommand_is_needed(run: Run) -> None:
    done = run("platform")
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: homeport platform")
    assert "error" not in done.stderr


@pytest.fixture
def own(run: Run, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Returns the environment of a platform of the test's own, on a machine without Caddy."""
    home = {"HOMEPORT_HOME": str(tmp_path / "platform")}
    yield home
    run("platform", "stop", env=home)


def test_a_domain_needs_caddy_and_deploys_do_not(run: Run, own: dict[str, str]) -> None:
    code, category, message, hint = error_of(run("platform", "start", "--domain", "mcp.example.com", "--json", env=own))
    assert (code, category) == (1, "platform")
    assert "no Caddy answers at" in message
    assert "caddy run --config" in hint
    status = run("platform", "status", "--json", env=own).json
    assert (status["running"], status["domain"]) == (True, "mcp.example.com")
    assert "mcp.example.com {" in Path(status["caddyfile"]).read_text()

    deployed = run("deploy", str(SERVERS / "mcp2_lowlevel"), "--name", "one", "--json", env=own).json
    assert deployed["mcp_url"] == "https://one.mcp.example.com/mcp"
    assert "one.mcp.example.com {" in Path(status["caddyfile"]).read_text()
    shown = run("status", "one", "--json", env=own).json
    assert "no Caddy answers" in shown["last_error"]
    assert "no Caddy answers" in run("platform", "status", env=own).stdout
    assert run("call", "one", "add", "a=1", "b=1", env=own).stdout == "2\n"

    local = run("platform", "start", "--no-domain", "--json", env=own).json
    assert (local["domain"], local["edge_error"]) == (None, None)
    assert run("status", "one", "--json", env=own).json["url"] == shown["local_url"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--domain", "nonsense"],
        ["--domain", ""],
        ["--domain", "mcp.example.com", "--no-domain"],
        ["--domain", "mcp.example.com", "--foreground"],
    ],
)
def test_wrong_domains_change_nothing(run: Run, own: dict[str, str], arguments: list[str]) -> None:
    assert error_of(run("platform", "start", *arguments, "--json", env=own))[:2] == (2, "input")
    assert run("platform", "status", "--json", env=own).json.get("domain") is None


def test_tokens(run: Run, own: dict[str, str]) -> None:
    assert run("platform", "token", "list", env=own).stdout == "no platform tokens yet\n"
    token = run("platform", "token", "create", "laptop", env=own).stdout.strip()
    made = run("platform", "token", "create", "ci", "--json", env=own).json
    assert (made["ok"], made["name"]) == (True, "ci")
    assert made["token"] != token
    listed = run("platform", "token", "list", "--json", env=own)
    assert [(each["name"], each["used_at"]) for each in listed.json["tokens"]] == [("ci", None), ("laptop", None)]
    assert token not in listed.stdout
    assert error_of(run("platform", "token", "create", "ci", "--json", env=own))[:2] == (2, "input")
    assert run("platform", "token", "revoke", "ci", env=own).stdout == "ci opens nothing any more\n"
    assert error_of(run("platform", "token", "revoke", "ci", "--json", env=own))[:2] == (4, "not-found")
    assert error_of(run("platform", "token", "revoke", "a/b", "--json", env=own))[:2] == (4, "not-found")


def test_foreground_is_the_platform_itself(run: Run, platform: Platform, own: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "platform_cli", "platform", "start", "--foreground"]
    process = subprocess.Popen(command, cwd=ROOT, env={**environment(platform, tmp_path), **own}, text=True)
    with ends_in_time(process):
        deadline = time.monotonic() + DEADLINE_S
        while not (status := run("platform", "status", "--json", env=own).json)["running"]:
            assert time.monotonic() < deadline
        assert status["master"] == process.pid
        assert error_of(run("platform", "start", "--foreground", "--json", env=own))[:2] == (1, "platform")
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
