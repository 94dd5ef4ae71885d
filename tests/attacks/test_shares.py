"""Attacks as a server that takes what others need: memory and processes, by all of its processes together."""

from __future__ import annotations

import contextlib
import http.client
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from homeport_runtime.hosts.cgroups import Group, Groups
from homeport_runtime.hosts.limits import PROCESSES

from ..e2e.probing import call, wait_for
from ..support import SERVERS, Platform, require, with_packages

pytestmark = pytest.mark.whole

MEMORY_MB = 400
SERVER = '''
import os
import subprocess
import sys

from mcp.server import MCPServer

mcp = MCPServer("greedy")
TAKE = "import time; taken = bytearray(200 << 20); taken[::4096] = bytes([1]) * len(taken[::4096]); time.sleep(3600)"


@mcp.tool()
def take(children: int) -> str:
    """Each takes half of what one process may have."""
    for _ in range(children):
        subprocess.Popen([sys.executable, "-c", TAKE], start_new_session=True)
    return "started"


@mcp.tool()
def fork(most: int) -> int:
    """As many processes as it gets, without memory of their own."""
    started = []
    try:
        while len(started) < most:
            child = os.fork()
            if child == 0:
                os.execvp("sleep", ["sleep", "3600"])
            started.append(child)
    except OSError:
        pass
    for child in started:
        os.kill(child, 9)
    for child in started:
        os.waitpid(child, 0)
    return len(started)


@mcp.tool()
def write(path: str) -> str:
    try:
        with open(path, "w") as file:
            file.write("max")
    except OSError as error:
        return f"refused: {error.strerror}"
    return "changed"


if __name__ == "__main__":
    mcp.run()
'''


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    home = tmp_path_factory.mktemp("shares") / "home"
    require(Groups.find(home, os.getpid()).limits_memory, "control groups that this process may make")
    platform = Platform(with_packages(home))
    yield platform
    platform.stop()


@pytest.fixture
def url(platform: Platform, tmp_path: Path) -> Iterator[str]:
    (tmp_path / "server.py").write_text(SERVER)
    (tmp_path / "requirements.txt").write_text((SERVERS / "mcp2_mcpserver" / "requirements.txt").read_text())
    (tmp_path / "fastmcp.toml").write_text(f"[deployment]\nmemory_mb = {MEMORY_MB}\n")
    yield platform.deploy(tmp_path, name="greedy").url
    platform.run("destroy", "greedy")


def test_its_programs_share_the_memory_of_one(platform: Platform, url: str) -> None:
    group = Group.of(platform.api.status("greedy")["processes"][0])
    with contextlib.suppress(OSError, http.client.HTTPException):
        call(url, "take", children=8)
    # With control groups of version 1 the worker itself may live on.
    wait_for(lambda: group.lacked_memory() or "memory_mb" in (platform.api.status("greedy")["last_error"] or ""))
    assert call(url, "write", path="/nowhere/x").startswith("refused"), "it answers, or the next worker"


def test_its_programs_are_counted(url: str) -> None:
    assert int(call(url, "fork", most=PROCESSES + 100)) < PROCESSES


def test_it_does_not_change_its_limits(platform: Platform, url: str) -> None:
    group = Group.of(platform.api.status("greedy")["processes"][0])
    names = ("memory.max", "memory.limit_in_bytes", "pids.max", "cgroup.procs")
    limits = [folder / name for folder in group.folders for name in names if (folder / name).exists()]
    assert len(limits) >= 2
    for path in limits:
        assert call(url, "write", path=str(path)).startswith("refused"), path
