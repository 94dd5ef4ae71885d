"""Clients that hold connections: nobody else waits for them, and all goes on by itself when they have gone."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from ..e2e.probing import DEADLINE_S, HEADERS, call, call_on, connect, control_plane, wait_for
from ..support import ROOT, SERVERS, Platform, with_config, with_packages

SLEEPS = "\n[scaling]\nidle_s = 1\n"
# Of the control plane; macOS gives 256.
OPEN_FILES = 256
HELD = 200


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """One whose control plane may have few descriptors."""
    platform = Platform(with_packages(tmp_path / "home"))
    limited = f'ulimit -n {OPEN_FILES}; exec "$@"'
    process = subprocess.Popen(
        ["sh", "-c", limited, "sh", sys.executable, "-m", "platform_cli.controlplane"],
        cwd=ROOT,
        env=platform.environment,
    )
    wait_for((platform.home / "platform.sock").exists)
    yield platform
    platform.stop()
    process.wait(DEADLINE_S)


def hold(port_of: http.client.HTTPConnection, opened: ExitStack) -> http.client.HTTPConnection:
    """A connection on which one call was answered, and that stays open."""
    connection = http.client.HTTPConnection(port_of.host, port_of.port, timeout=DEADLINE_S)
    opened.callback(connection.close)
    assert call_on(connection, "add", a=1, b=2) == "3"
    return connection


def test_idle_connections_to_sleeping_projects_stop_nobody(platform: Platform, tmp_path: Path) -> None:
    folder = with_config(SERVERS / "mcp2_lowlevel", SLEEPS, tmp_path)
    crowded = [platform.deploy(folder, name=f"crowded-{number}") for number in range(2)]
    other = platform.deploy(folder, name="other")
    plane = control_plane(platform)
    with ExitStack() as opened:
        held = {each.project: [hold(connect(each.url), opened) for _ in range(HELD)] for each in crowded}
        for each in (*crowded, other):
            wait_for(partial(is_asleep, platform, each.project))
        assert call(other.url, "add", a=20, b=22) == "42"
        for each in crowded:
            assert call(each.url, "add", a=20, b=22) == "42"
            # The oldest were closed, and the newest are served as if nothing had been.
            assert call_on(held[each.project][-1], "add", a=1, b=2) == "3"
            with pytest.raises((OSError, http.client.HTTPException)):
                post(held[each.project][0])
    assert control_plane(platform) == plane
    assert {each["state"] for each in platform.run("list")["projects"]} <= {"running", "idle"}


def is_asleep(platform: Platform, project: str) -> bool:
    return bool(platform.run("status", project)["workers"] == 0)


def post(connection: http.client.HTTPConnection) -> None:
    """Asks on this very connection: http.client would open another one."""
    assert isinstance(connection.sock, socket.socket)
    connection.auto_open = 0
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    connection.request("POST", "/mcp", json.dumps(body), HEADERS)
    connection.getresponse().read()
