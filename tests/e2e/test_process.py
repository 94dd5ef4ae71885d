"""Tests that programs which a deployed server starts are found as from the shell of who deployed it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..support import Platform, with_packages
from .probing import call

SERVER = """
import subprocess

from mcp.server import MCPServer

mcp = MCPServer("programs")


@mcp.tool()
def run(program: str, argument: str) -> str:
    return subprocess.run([program, argument], capture_output=True, text=True).stdout.strip()
"""


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    platform = Platform(with_packages(tmp_path / "home"))
    yield platform
    platform.stop()


def test_the_path_of_who_deploys_is_the_servers(platform: Platform, tmp_path: Path) -> None:
    (project := tmp_path / "project").mkdir()
    (project / "requirements.txt").write_text("mcp>=2\n")
    (project / "server.py").write_text(SERVER)
    (folder := tmp_path / "programs").mkdir()
    (program := folder / "a-program-of-mine").write_text("#!/bin/sh\necho mine $1\n")
    program.chmod(0o755)
    # The platform itself was started by somebody else.
    platform.run("platform", "start")
    url = Platform(platform.home, path=[folder]).deploy(project, name="programs").url
    assert call(url, "run", program="a-program-of-mine", argument="too") == "mine too"
    assert call(url, "run", program="uvx", argument="--version").startswith("uv")
    # It is kept with the release.
    platform.stop()
    platform.run("platform", "start")
    assert call(url, "run", program="a-program-of-mine", argument="still") == "mine still"
