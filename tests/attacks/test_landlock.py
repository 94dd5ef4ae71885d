"""Attacks as a server that turns hostile where user namespaces are not to be had: Landlock keeps it from files."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from homeport_runtime.hosts.landlock import can_restrict, scopes_signals

from ..e2e.probing import call, control_plane
from ..support import SERVERS, Platform, require
from .users import NOBODY, WITHOUT_NAMESPACES, platform_of

pytestmark = pytest.mark.whole

SERVER = '''
import os
import subprocess
import sys

from mcp.server import MCPServer

mcp = MCPServer("hostile")


def attempt(code: str) -> str:
    found = {"os": os, "answer": ""}
    try:
        exec(code, found)
    except OSError as error:
        return f"refused: {error.strerror}"
    return str(found["answer"])


@mcp.tool()
def here(code: str) -> str:
    return attempt(code)


@mcp.tool()
def split_off(code: str) -> str:
    """As a program that leaves the server's session."""
    command = [sys.executable, "-c", "import sys, server; print(server.attempt(sys.argv[1]))", code]
    done = subprocess.run(command, capture_output=True, text=True, start_new_session=True)
    return done.stdout.strip() or done.stderr


if __name__ == "__main__":
    mcp.run()
'''


@pytest.fixture(scope="module")
def attacked() -> Iterator[tuple[Platform, str]]:
    """Yields a platform with a neighbour, and the URL of the server that attacks."""
    require(can_restrict(), "Landlock, of Linux 6.2 or newer")
    user = NOBODY if os.getuid() == 0 else os.getuid()
    with platform_of(user, WITHOUT_NAMESPACES) as (platform, projects):
        # What lies beside the home as it was made may be used.
        platform.environment["TMPDIR"] = str(projects)
        platform.run("set-secret", "PASSWORD", "hunter2hunter2", "--project", "victim")
        for name in ("victim", "hostile"):
            folder = projects / name
            folder.mkdir()
            (folder / "server.py").write_text(SERVER)
            (folder / "requirements.txt").write_text((SERVERS / "mcp2_mcpserver" / "requirements.txt").read_text())
        victim = platform.deploy(projects / "victim", name="victim").url
        assert call(victim, "here", code="open('kept.txt', 'w').write('private')") == ""
        yield platform, platform.deploy(projects / "hostile", name="hostile").url


def test_it_confines_here(attacked: tuple[Platform, str]) -> None:
    platform, _ = attacked
    (check,) = [each for each in platform.run("doctor")["checks"] if each["name"] == "confinement"]
    assert "Landlock" in check["detail"]
    assert platform.run("status", "hostile")["confined"] is True


@pytest.mark.parametrize("tool", ["here", "split_off"])
def test_it_reads_nothing_of_the_platform(attacked: tuple[Platform, str], tool: str) -> None:
    platform, url = attacked
    home = platform.home
    for name in ("secrets.key", "store.db", "secrets.db", "platform.log", "projects/victim/files/kept.txt"):
        assert (home / name).exists()
        answer = call(url, tool, code=f"answer = open({str(home / name)!r}, 'rb').read(9)")
        assert answer == "refused: Permission denied"
    for name in ("", "projects", "projects/victim/files", "bundles", "tmp"):
        assert call(url, tool, code=f"answer = os.listdir({str(home / name)!r})") == "refused: Permission denied"
    for name in ("store.db", "projects/victim/files/kept.txt"):
        assert call(url, tool, code=f"os.truncate({str(home / name)!r}, 0)") == "refused: Permission denied"
        assert call(url, tool, code=f"os.unlink({str(home / name)!r})") == "refused: Permission denied"


def test_it_changes_neither_packages_nor_its_bundle(attacked: tuple[Platform, str]) -> None:
    platform, url = attacked
    bundle = platform.home / "bundles" / platform.run("status", "hostile")["bundle"]
    layer = next(folder for folder in (platform.home / "layers").iterdir() if (folder / "mcp").exists())
    for path in (bundle / "app" / "server.py", bundle / "manifest.json", layer / "mcp" / "__init__.py"):
        assert call(url, "here", code=f"open({str(path)!r}, 'a')") == "refused: Permission denied"
        assert call(url, "here", code=f"os.rename({str(path)!r}, 'mine')").startswith("refused")


def test_it_keeps_what_is_its_own(attacked: tuple[Platform, str]) -> None:
    platform, url = attacked
    assert call(url, "here", code="open('own.txt', 'w').write('own'); answer = open('own.txt').read()") == "own"
    assert (platform.home / "projects" / "hostile" / "files" / "own.txt").read_text() == "own"
    assert call(url, "here", code="import tempfile; answer = os.path.exists(tempfile.mkdtemp())") == "True"


def test_it_reaches_no_other_process(attacked: tuple[Platform, str]) -> None:
    platform, url = attacked
    neighbour = platform.api.status("victim")["processes"][0]
    for pid in (neighbour, control_plane(platform)):
        for name in ("environ", "mem", f"root{platform.home}/secrets.key"):
            answer = call(url, "here", code=f"answer = open('/proc/{pid}/{name}', 'rb').read(9)")
            assert answer == "refused: Permission denied"
        if scopes_signals():
            assert call(url, "here", code=f"os.kill({pid}, 0)") == "refused: Operation not permitted"
