"""Tests that no request is lost while releases change, and only those of a killed worker when one is killed."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ..support import SERVERS, Platform
from .load import Load

REDEPLOYS, ROLLBACKS, CLIENTS = 20, 5, 20


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SERVERS / "mcp2_lowlevel", tmp_path / "project"))


def deploy(platform: Platform, project: Path, name: str) -> dict[str, Any]:
    return platform.run("deploy", str(project), "--name", name, "--json")


def port_of(status: dict[str, Any]) -> int:
    return urlsplit(status["url"]).port or 0


def edit(project: Path) -> None:
    with (project / "server.py").open("a") as file:
        file.write("# another release\n")


def test_no_request_is_lost_over_redeploys_and_rollbacks(platform: Platform, project: Path) -> None:
    port = port_of(deploy(platform, project, "steady"))
    with Load(port, CLIENTS) as load:
        for number in range(REDEPLOYS):
            edit(project)
            assert deploy(platform, project, "steady")["changed"]
            if number % (REDEPLOYS // ROLLBACKS) == 0:
                platform.run("rollback", "steady", "--json")
    assert not load.failures
    assert load.answered > CLIENTS * REDEPLOYS


def test_only_requests_of_a_killed_worker_fail(platform: Platform, project: Path) -> None:
    port = port_of(deploy(platform, project, "shaken"))
    kills = 3
    with Load(port, CLIENTS) as load:
        for _ in range(kills):
            before = load.answered
            for pid in workers_of("shaken"):
                os.kill(pid, signal.SIGKILL)
            while load.answered < before + 50 * CLIENTS:
                assert platform.run("status", "shaken", "--json")["ok"]
    # Each client has at most one request, or one connection that was open, in the worker that is killed.
    assert sum(load.failures.values()) <= kills * CLIENTS
    assert load.answered > kills * 50 * CLIENTS


def workers_of(project: str) -> list[int]:
    """Returns the serving processes of the project: they hold its working folder as their current one."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if str((process / "cwd").readlink()).endswith(f"/projects/{project}/files"):
                    found.append(int(process.name))
            except OSError:
                continue
    return found
