"""Holds what the tests of failures look at: a tool's answer over plain HTTP, the platform's processes, half-written
state.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from homeport_runtime.hosts.confinement import can_hide

from ..support import ROOT, Platform

DEADLINE_S = 90.0
HEADERS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


def wait_for(condition: Callable[[], Any]) -> Any:
    """Returns what `condition` answers once that is true; it fails after a deadline."""
    end = time.monotonic() + DEADLINE_S
    while not (answer := condition()):
        assert time.monotonic() < end, f"still not true after {DEADLINE_S} s"
        time.sleep(0.02)
    return answer


def connect(url: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", urlsplit(url).port, timeout=DEADLINE_S)


def call_on(connection: http.client.HTTPConnection, tool: str, **arguments: object) -> str:
    """Returns the text that a tool answers on this connection, which stays open. Raises OSError, or what http.client
    raises.
    """
    params = {"name": tool, "arguments": arguments}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    connection.request("POST", "/mcp", json.dumps(message), HEADERS)
    reply = connection.getresponse()
    body = reply.read().decode()
    assert reply.status == 200, (reply.status, body)
    answers = [json.loads(line[5:]) for line in body.splitlines() if line.startswith("data:")]
    text: str = answers[-1]["result"]["content"][0]["text"]
    return text


def call(url: str, tool: str, **arguments: object) -> str:
    connection = connect(url)
    try:
        return call_on(connection, tool, **arguments)
    finally:
        connection.close()


def is_healthy(url: str) -> bool:
    """Tells whether a server serves."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=DEADLINE_S) as reply:
            return bool(reply.status == HTTPStatus.OK)
    except (OSError, http.client.HTTPException):
        return False


def homeport(platform: Platform, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Starts `homeport ARGUMENTS --json` as a process in a group of its own, as on a terminal."""
    return subprocess.Popen(
        [sys.executable, "-m", "platform_cli", *arguments, "--json"],
        cwd=ROOT,
        env=platform.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


def control_plane(platform: Platform) -> int:
    """Its process id."""
    pid: int = platform.run("platform", "status")["pid"]
    return pid


def master(platform: Platform) -> int:
    """Returns the process id of the master, which starts the control plane again: with it the platform ends."""
    pid: int = platform.run("platform", "status")["master"]
    return pid


def processes(platform: Platform) -> dict[int, int]:
    """Zygotes and workers, as process id -> id of the parent: their command line names the platform's folder."""
    listed = subprocess.run(["ps", "-axww", "-o", "pid=,ppid=,command="], capture_output=True, text=True, check=True)
    rows = [line.split(None, 2) for line in listed.stdout.splitlines() if f"{platform.home}{os.sep}" in line]
    return {int(pid): int(parent) for pid, parent, command in rows if not command.startswith("ps ")}


def workers(platform: Platform) -> set[int]:
    """Workers, as the platform knows them: those that serve, or finish what they have, and, for an inspection, children
    of zygotes, whose own parent, outside of their room, is nobody's child among these. What is in a worker's room are
    its own children.
    """
    running = processes(platform)
    serving = {pid for project in platform.run("list")["projects"] for pid in project["processes"]}
    # A worker whose zygote has ended is nobody's child either.
    outside = {pid for pid, parent in running.items() if parent not in running} - serving
    zygotes = {pid for pid, parent in running.items() if parent in outside} if can_hide(platform.home) else outside
    return serving | {pid for pid, parent in running.items() if parent in zygotes and _has_work(pid, running)}


def _has_work(pid: int, running: Mapping[int, int]) -> bool:
    """Tells whether the process, or what is in its room, is in a folder of its own: one that was preforked is nobody's
    yet.
    """
    if sys.platform != "linux":
        return True
    with contextlib.suppress(OSError):
        if Path(f"/proc/{pid}/cwd").readlink() != Path("/"):
            return True
    return any(_has_work(child, running) for child, parent in running.items() if parent == pid)


def half_written(platform: Platform) -> list[Path]:
    """Drafts that nobody works on any more, in the folders that are shared by all projects."""
    shared = [folder for name in ("bundles", "layers", "runtimes") if (folder := platform.home / name).exists()]
    return [path for folder in shared for path in folder.iterdir() if path.name.startswith(".")]
