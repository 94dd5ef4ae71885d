"""What a deployed server can not do: command its platform, or leave programs behind when it is killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..support import SERVERS, Platform, require

DEADLINE_S = 20.0
SERVER = '''
import socket
import subprocess
import sys

from mcp.server import MCPServer

mcp = MCPServer("intruder")
ASK = """
import socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
try:
    connection.sendall(b"GET /v1/projects HTTP/1.1\\\\r\\\\nHost: localhost\\\\r\\\\n\\\\r\\\\n")
    print(connection.recv(100))
except OSError:
    print("refused")
"""


@mcp.tool()
def ask(path: str) -> str:
    """As a program that the server starts."""
    return subprocess.run([sys.executable, "-c", ASK, path], capture_output=True, text=True).stdout


@mcp.tool()
def ask_here(path: str) -> str:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    try:
        connection.sendall(b"GET /v1/projects HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
        return repr(connection.recv(100))
    except OSError:
        return "refused"
'''


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(tmp_path_factory.mktemp("confined") / "home")
    yield platform
    platform.stop()


def test_a_server_cannot_command_the_platform(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text(SERVER)
    platform.run("deploy", str(tmp_path), "--name", "intruder", "--json")
    socket_path = platform.home / "platform.sock"
    if not socket_path.exists():
        pytest.fail(f"the platform's socket is not at {socket_path}")
    assert socket_path.exists()
    for tool in ("ask", "ask_here"):
        answer = platform.run("call", "intruder", tool, f"path={socket_path}", "--json")
        assert "HTTP/1.1" not in str(answer)
        assert "refused" in str(answer) or "b''" in str(answer["result"])


def test_a_stdio_program_ends_with_its_worker(platform: Platform) -> None:
    require(Path("/proc/self/stat").exists(), "needs Linux's /proc")
    platform.run("deploy", str(SERVERS / "stdio_python"), "--name", "program", "--json")
    programs = [pid for pid in processes_in("/projects/program/files") if os.getsid(pid) == pid]
    workers = [parent_of(pid) for pid in programs if parent_of(pid) in programs]
    assert len(workers) == 1
    os.kill(workers[0], signal.SIGKILL)
    deadline = time.monotonic() + DEADLINE_S
    while any(Path(f"/proc/{pid}").exists() for pid in programs):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def processes_in(folder: str) -> list[int]:
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if str((process / "cwd").readlink()).endswith(folder):
                    found.append(int(process.name))
            except OSError:
                continue
    return found


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
