"""Tests what a deployed server cannot do: command its platform, read what is not its own, or leave programs behind."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from homeport_runtime.hosts.confinement import can_hide

from ..support import SERVERS, Platform, require, with_packages
from .probing import call, control_plane, processes

DEADLINE_S = 20.0
SERVER = '''
import inspect
import os
import socket
import subprocess
import sys

from mcp.server import MCPServer

mcp = MCPServer("intruder")
ASK = """
import socket, sys
connection = socket.socket(socket.AF_UNIX)
try:
    connection.connect(sys.argv[1])
    connection.sendall(b"GET /v1/projects HTTP/1.1\\\\r\\\\nHost: localhost\\\\r\\\\n\\\\r\\\\n")
    print(connection.recv(100))
except OSError:
    print("refused")
"""


@mcp.tool()
def ask(path: str, apart: bool = False) -> str:
    """As a program that the server starts, which may leave the server's session."""
    command = [sys.executable, "-c", ASK, path]
    return subprocess.run(command, capture_output=True, text=True, start_new_session=apart).stdout


@mcp.tool()
def ask_here(path: str) -> str:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
        connection.sendall(b"GET /v1/projects HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
        return repr(connection.recv(100))
    except OSError:
        return "refused"


def look(path: str) -> str:
    """What there is to read or to list; `refused` and the reason where there is nothing."""
    try:
        if os.path.isdir(path):
            return f"listed {sorted(os.listdir(path))}"
        with open(path, "rb") as file:
            return f"read {file.read(16)!r}"
    except OSError as error:
        return f"refused: {error.strerror}"


@mcp.tool()
def look_here(path: str) -> str:
    return look(path)


@mcp.tool()
def look_as_child(path: str) -> str:
    """As a program that the server starts, with a user namespace of its own in which it has every capability."""
    script = "import os\\n" + inspect.getsource(look) + f"print(look({path!r}))"
    done = subprocess.run(["unshare", "-Urm", sys.executable, "-c", script], capture_output=True, text=True)
    return done.stdout or f"refused: {done.stderr}"


@mcp.tool()
def keep(text: str) -> str:
    with open("kept.txt", "a") as file:
        file.write(text)
    with open(os.path.join(os.path.dirname(__file__), "kept.txt")) as file:
        return file.read()


@mcp.tool()
def change(path: str) -> str:
    try:
        with open(path, "a") as file:
            file.write("x")
    except OSError as error:
        return f"refused: {error.strerror}"
    return "changed"
'''


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Runs a platform over a home with so long a path that its socket is elsewhere."""
    folder = tmp_path_factory.mktemp("confined")
    platform = Platform(with_packages(folder / ("long" * 30) / "home"))
    platform.environment["TMPDIR"] = str(folder)
    # The keyring of whoever runs the tests is left alone.
    platform.environment["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    yield platform
    platform.stop()


def test_a_server_cannot_command_the_platform(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text(SERVER)
    platform.run("deploy", str(tmp_path), "--name", "intruder", "--json")
    (socket_path,) = Path(platform.environment["TMPDIR"]).glob("homeport-*/platform.sock")
    tries = [["ask"], ["ask_here"], *([["ask", "apart=true"]] if can_hide(platform.home) else [])]
    for tool, *more in tries:
        answer = platform.run("call", "intruder", tool, f"path={socket_path}", *more)
        assert "HTTP/1.1" not in str(answer)
        assert "refused" in str(answer) or "b''" in str(answer["result"])


@pytest.mark.parametrize("cold_start_optimization", ["true", "false"])
def test_a_server_sees_nothing_but_its_own(platform: Platform, tmp_path: Path, cold_start_optimization: str) -> None:
    home = platform.home
    require(can_hide(home.parent), "a system that lets processes have mount namespaces")
    platform.run("set-secret", "PASSWORD", "hunter2hunter2", "--project", "neighbour")
    neighbour = tmp_path / "neighbour"
    neighbour.mkdir()
    (neighbour / "server.py").write_text(SERVER)
    (neighbour / "fastmcp.toml").write_text('[environment]\nPASSWORD = "${secrets.PASSWORD}"\n')
    url = platform.deploy(neighbour, name="neighbour").url
    assert call(url, "keep", text="a") == "a"
    features = f"[features]\ncold_start_optimization = {cold_start_optimization}\n"
    (tmp_path / "fastmcp.toml").write_text(features)
    (tmp_path / "server.py").write_text(SERVER)
    url = platform.deploy(tmp_path, name="curious").url
    (home / "credentials.json").write_text("{}")

    private = ["secrets.key", "secrets.db", "store.db", "store.db-wal", "platform.log", "credentials.json", "cache"]
    for path in (*(home / name for name in private), home / "projects" / "neighbour" / "files" / "kept.txt"):
        assert path.exists(), path
        assert call(url, "look_here", path=str(path)) == "refused: No such file or directory"
        assert call(url, "look_as_child", path=str(path)).startswith("refused")
    assert call(url, "look_here", path=str(home)) == "listed ['bundles', 'layers', 'projects', 'runtimes']"
    assert call(url, "look_here", path=str(home / "projects")) == "listed ['curious']"
    assert call(url, "look_here", path=str(home / "projects" / "curious")) == "listed ['cache', 'files']"
    (bundle,) = [name for name in call(url, "look_here", path=str(home / "bundles")).split("'") if len(name) > 30]
    assert call(url, "look_here", path=str(home / "bundles" / bundle)) == "listed ['app']"
    for name in ("server.py", "__pycache__/server.pyc"):
        answer = call(url, "change", path=str(home / "bundles" / bundle / "app" / name))
        assert answer == "refused: Read-only file system"

    others = {control_plane(platform), *processes(platform), *processes_in("/projects/neighbour/files")}
    # Its own number in its room is the outermost one's outside.
    own = set(processes_in("/projects/curious/files"))
    for _ in range(2):
        own |= {parent_of(process) for process in own} & others
    others -= own - {control_plane(platform)}
    assert len(others) >= 3, "control plane, zygote, and the neighbour's worker"
    for process in others:
        for name in ("environ", "mem", "maps", f"root{home}/secrets.key", f"cwd{home}/secrets.key", "fd/1"):
            for tool in ("look_here", "look_as_child"):
                seen = call(url, tool, path=f"/proc/{process}/{name}")
                assert seen.startswith("refused"), (name, seen)

    layer = next(folder for folder in (home / "layers").iterdir() if (folder / "mcp").exists())
    assert call(url, "change", path=str(layer / "mcp" / "__init__.py")) == "refused: Read-only file system"
    assert call(url, "change", path=str(home / "new")) == "refused: Read-only file system"
    assert call(url, "keep", text="b") == "b"
    assert (home / "projects" / "curious" / "files" / "kept.txt").read_text() == "b"
    platform.run("destroy", "curious")
    platform.run("destroy", "neighbour")


def test_a_stdio_program_ends_with_its_worker(platform: Platform, tmp_path: Path) -> None:
    require(Path("/proc/self/stat").exists(), "needs Linux's /proc")
    folder = tmp_path / "program"
    shutil.copytree(SERVERS / "stdio_python", folder)
    # What is plainly a command of Python's is run in the worker itself.
    (folder / "fastmcp.toml").write_text('[deployment]\ncommand = "env python server.py"\n')
    platform.run("deploy", str(folder), "--name", "program", "--json")
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
