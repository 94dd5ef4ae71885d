"""Tests that servers of which one alone can run are redeployed while they are in use, and no request is lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ..support import CommandFailedError, Platform
from .load import Load
from .probing import DEADLINE_S, call, control_plane, wait_for

# A database that one process may have open, found by relative path; `HELD` another, which an inspection finds as well.
SERVER = """
import fcntl
import os

from mcp.server import MCPServer

mcp = MCPServer("alone")
VERSION = "1"
for held in ("data.db", os.environ.get("HELD")):
    if held:
        database = os.open(held, os.O_CREAT | os.O_RDWR)
        fcntl.flock(database, fcntl.LOCK_EX | fcntl.LOCK_NB)


@mcp.tool()
def add(a: int, b: int) -> int:
    return a + b


@mcp.tool()
def version() -> str:
    return VERSION
"""
TOML = '[deployment]\nentrypoint = "server.py:mcp"\nreplace = "stop-first"\n'
CLIENTS = 8


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "requirements.txt").write_text("mcp>=2\n")
    (folder / "server.py").write_text(SERVER)
    return folder


def change(project: Path, old: str, new: str) -> None:
    source = (project / "server.py").read_text()
    assert old in source
    (project / "server.py").write_text(source.replace(old, new))


@pytest.mark.parametrize("said", [False, True], ids=["found", "said"])
def test_the_old_release_stops_first(platform: Platform, project: Path, said: bool) -> None:
    name = f"alone-{said}".lower()
    if said:
        (project / "fastmcp.toml").write_text(TOML)
    url = platform.deploy(project, name=name).url
    with Load(urlsplit(url).port or 0, CLIENTS) as load:
        for number in ("2", "3"):
            change(project, f'VERSION = "{int(number) - 1}"', f'VERSION = "{number}"')
            answer = platform.run("deploy", str(project), "--name", name)
            assert answer["changed"]
            assert ("stop-first" in [finding["kind"] for finding in answer["findings"]]) is not said
            assert call(url, "version") == number
    assert not load.failures
    assert load.answered


def test_a_release_that_fails_even_so_leaves_the_old_one_serving(platform: Platform, project: Path) -> None:
    url = platform.deploy(project, name="alone-fails").url
    with Load(urlsplit(url).port or 0, CLIENTS) as load:
        # Only where it serves, so that the inspection passes.
        change(project, "VERSION =", "if os.path.exists('data.db'):\n    raise OSError('locked for ever')\nVERSION =")
        with pytest.raises(CommandFailedError, match="locked for ever"):
            platform.deploy(project, name="alone-fails")
        assert call(url, "version") == "1"
    assert not load.failures


def test_an_inspection_has_what_the_server_holds_and_gives_it_back(
    platform: Platform, project: Path, tmp_path: Path
) -> None:
    env = {"HELD": str(tmp_path / "shared.db")}
    url = platform.deploy(project, name="alone-held", env=env).url
    with Load(urlsplit(url).port or 0, CLIENTS) as load:
        change(project, 'VERSION = "1"', 'VERSION = "2"')
        assert platform.deploy(project, name="alone-held", env=env).changed
        change(project, 'VERSION = "2"', "raise OSError('locked for ever')")
        with pytest.raises(CommandFailedError, match="locked for ever"):
            platform.deploy(project, name="alone-held", env=env)
        assert call(url, "version") == "2"
    assert not load.failures


@pytest.mark.whole
def test_the_control_plane_is_killed_in_the_middle_of_a_switch(
    platform: Platform, project: Path, tmp_path: Path
) -> None:
    """The old release has stopped and the new one has what one alone can have, but does not serve yet."""
    (project / "fastmcp.toml").write_text(TOML)
    url = platform.deploy(project, name="alone-killed").url
    begun, goes_on = tmp_path / "begun", tmp_path / "goes-on"
    waits = f"while not os.path.exists({str(goes_on)!r}):\n        time.sleep(0.02)"
    # Only where it serves, so that the inspection passes.
    change(
        project,
        "@mcp.tool()\ndef add",
        f"import time\nif os.path.getsize('data.db'):\n    open({str(begun)!r}, 'w').close()\n    {waits}\n"
        "os.write(database, b'1')\n\n\n@mcp.tool()\ndef add",
    )
    change(project, 'VERSION = "1"', 'VERSION = "2"')
    (platform.home / "projects" / "alone-killed" / "files" / "data.db").write_text("served before")
    deploy = platform.start("deploy", str(project), "--name", "alone-killed")
    wait_for(begun.exists)
    os.kill(control_plane(platform), signal.SIGKILL)
    assert deploy.wait(DEADLINE_S).returncode != 0
    assert call(url, "version") == "1"
    goes_on.touch()
    assert platform.deploy(project, name="alone-killed").changed
    assert call(url, "version") == "2"
