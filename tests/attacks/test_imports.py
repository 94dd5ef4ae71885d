"""Tests a package that is hostile when it is imported, in the process that all workers of its layer are forked from."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from homeport_runtime.hosts.confinement import can_hide

from ..e2e.probing import call
from ..support import SERVERS, Platform, require
from .users import NOBODY, platform_of

pytestmark = pytest.mark.whole

EVIL = """
import ctypes, glob, os, socket

SAID, PID = {}, os.getpid()
print("evil was imported", flush=True)


def attempt(what, work):
    try:
        SAID[what] = work()
    except OSError as error:
        SAID[what] = f"refused: {error.strerror}"


def ask():
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(HOME + "/platform.sock")
    connection.sendall(b"GET /v1/projects HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    return len(connection.recv(100))


def read(name):
    return lambda: len(open(os.path.join(HOME, name), "rb").read())


for name in ("secrets.key", "store.db", "secrets.db"):
    attempt(name, read(name))
attempt("socket", ask)
attempt("home", lambda: sorted(os.listdir(HOME)))
attempt("neighbours", lambda: glob.glob(HOME + "/projects/*/*") + glob.glob(HOME + "/bundles/*/*"))
library = ctypes.CDLL(None)
for path in (HOME, HOME + "/layers"):
    library.umount2(path.encode(), 2)
attempt("uncovered", lambda: sorted(os.listdir(HOME)))
attempt("own code", lambda: open(os.__file__, "a").close())
attempt("packages", lambda: open(__file__, "a").close())
attempt("outside", lambda: os.listdir(f"/proc/{os.getppid()}/root"))
attempt("platform", lambda: os.listdir(f"/proc/{CONTROL_PLANE}/root"))
attempt("kernel", lambda: open("/proc/sys/kernel/core_pattern", "r+").close())
attempt("signal", lambda: os.kill(CONTROL_PLANE, 0))
attempt("log", lambda: os.readlink("/proc/self/fd/2"))
attempt("files", lambda: sorted(os.listdir(".")))
"""
SERVER = """
import json, os
import evil
{source}

@mcp.tool()
def said() -> str:
    return json.dumps([evil.SAID, evil.PID == os.getpid()])
"""


@pytest.fixture(scope="module", params=[os.getuid(), *([NOBODY] if os.getuid() == 0 else [])], ids=["here", "ordinary"])
def attacked(request: pytest.FixtureRequest) -> Iterator[tuple[Platform, Path]]:
    with platform_of(request.param) as (platform, projects):
        require(can_hide(platform.home), "a system that lets processes have mount namespaces")
        platform.run("set-secret", "PASSWORD", "hunter2hunter2", "--project", "victim")
        victim = projects / "victim"
        victim.mkdir()
        for name in ("server.py", "requirements.txt"):
            (victim / name).write_text((SERVERS / "mcp2_mcpserver" / name).read_text())
        platform.deploy(victim, name="victim")
        yield platform, projects


def said_by_import(platform: Platform, folder: Path, config: str) -> tuple[dict[str, Any], bool]:
    """Returns what the package saw, and whether the server's own process has imported it."""
    package = folder / "evil"
    package.mkdir(parents=True)
    setup = "from setuptools import setup\nsetup(name='evil', version='1', py_modules=['evil'])\n"
    (package / "setup.py").write_text(setup)
    control_plane = platform.run("platform", "status")["pid"]
    (package / "evil.py").write_text(f"HOME, CONTROL_PLANE = {str(platform.home)!r}, {control_plane}\n{EVIL}")
    (folder / "requirements.txt").write_text("mcp>=2\n./evil\n")
    (folder / "fastmcp.toml").write_text(config)
    source = (SERVERS / "mcp2_mcpserver" / "server.py").read_text()
    (folder / "server.py").write_text(SERVER.replace("{source}", source))
    url = platform.deploy(folder, name="evil").url
    said, own = json.loads(call(url, "said"))
    platform.run("destroy", "evil")
    return said, own


@pytest.mark.parametrize("forked", [True, False])
def test_it_sees_nothing_of_the_platform(attacked: tuple[Platform, Path], forked: bool) -> None:
    platform, projects = attacked
    config = f"[features]\ncold_start_optimization = {str(forked).lower()}\n"
    said, own = said_by_import(platform, projects / f"forked-{forked}", config)
    assert own is not forked
    for hidden in ("secrets.key", "store.db", "secrets.db", "socket"):
        assert said[hidden] == "refused: No such file or directory", said
    seen = ["layers", "runtimes"] if forked else ["bundles", "layers", "projects", "runtimes"]
    assert (said["home"], said["uncovered"]) == (seen, seen)
    assert not [path for path in said["neighbours"] if "victim" in path]
    assert said["log"].startswith("pipe:")
    assert not forked or "evil was imported" in (platform.home / "platform.log").read_text()
    for kept in ("own code", "packages", "outside", "platform", "kernel"):
        assert said[kept].startswith("refused"), (kept, said)
    if not forked or tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 12):
        assert said["signal"].startswith("refused"), said
