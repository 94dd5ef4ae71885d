from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from platform_cli.api.log_record import LogRecord
from platform_cli.commands.logs import record_text
from tests.commands.conftest import DEADLINE_S, PROJECT, Run, ends_in_time, environment, error_of
from tests.support import ROOT, Deployment, Platform


def records(run: Run, *arguments: str, at_least: int = 1) -> list[dict[str, Any]]:
    """Returns the log once it has that many records: a worker hands its own over with a little delay."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        found = [json.loads(line) for line in run("logs", PROJECT, *arguments, "--json").stdout.splitlines()]
        if len(found) >= at_least or time.monotonic() > deadline:
            return found


@pytest.fixture
def called(run: Run, tiny: Deployment) -> None:
    run("call", PROJECT, "add", "a=1", "b=1")
    run("call", PROJECT, "fail")


def test_each_call_is_there(run: Run, called: None, tiny: Deployment) -> None:
    failed = records(run, "--grep", "tools/call fail")[-1]
    assert (failed["level"], failed["release"], failed["call"]["status"]) == ("warning", tiny.release, "error")
    added = records(run, "--grep", "tools/call add")[-1]
    assert (added["level"], added["call"]["tool"], added["call"]["status"]) == ("info", "add", "ok")


def test_filters(run: Run, called: None) -> None:
    assert records(run, "--grep", "tools/call fail")
    assert {record["level"] for record in records(run, "--level", "warning")} <= {"warning", "error"}
    none = run("logs", PROJECT, "--release", "v99", "--json")
    assert (none.code, none.stdout, none.stderr) == (0, "", "no such line is there\n")
    assert records(run, "--since", "1h")
    assert records(run, "--since", "0s", at_least=0) == []
    line = run("logs", PROJECT, "--grep", "tools/call add").stdout.splitlines()[-1]
    assert "tools/call add: ok" in line


def test_follow_shows_what_comes(run: Run, called: None, platform: Platform, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "platform_cli",
        "logs",
        PROJECT,
        "--follow",
        "--grep",
        "call (add|whoami)",
        "--json",
    ]
    env = environment(platform, tmp_path)
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE) as process, ends_in_time(process):
        assert process.stdout
        # What is there already comes first, so that it follows from now on is known.
        assert json.loads(process.stdout.readline())["call"]["tool"] == "add"
        run("call", PROJECT, "whoami")
        while json.loads(process.stdout.readline())["call"]["tool"] != "whoami":
            pass
        process.send_signal(signal.SIGINT)
    assert process.returncode == 130


@pytest.mark.parametrize(
    "arguments",
    [["--since", "soon"], ["--grep", "("], ["--level", "loud"], ["--since", "-1m"], ["--release"], ["--release", "x"]],
)
def test_wrong_filters(run: Run, tiny: Deployment, arguments: list[str]) -> None:
    assert error_of(run("logs", PROJECT, "--json", *arguments))[:2] == (2, "input")


def test_only_the_platform_begins_a_line() -> None:
    record: LogRecord = {
        "time": 0,
        "level": "info",
        "release": "v1",
        "message": "one\n12:00:00 v9 error   FAKE\x1b[2J\x9b",
    }
    first, second = record_text(record).split("\n")
    assert first.endswith("v1 info    one")
    assert second == r"    12:00:00 v9 error   FAKE\x1b[2J\x9b"
