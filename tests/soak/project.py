"""Deploys a server whose answers say in which life of a worker they were made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tests.support import Platform

SERVER = """
import os, secrets

from mcp.server import MCPServer

mcp = MCPServer("soak")
LIFE = f"{os.environ['HOMEPORT_RELEASE']} {secrets.token_hex(4)}"


@mcp.tool()
def add(a: int, b: int) -> str:
    return f"{a + b} {LIFE}"
"""


@dataclass
class Project:
    """Is the project; `url` is where it is once it was deployed."""

    platform: Platform
    name: str
    folder: Path
    has_sessions: bool
    url: str = ""

    @classmethod
    def written(cls, platform: Platform, name: str, into: Path, config: str = "") -> Project:
        folder = into / name
        folder.mkdir()
        (folder / "server.py").write_text(SERVER)
        (folder / "requirements.txt").write_text("mcp>=2\n")
        (folder / "fastmcp.toml").write_text(config)
        project = cls(platform, name, folder, has_sessions="sessions" in config)
        project.deploy()
        return project

    def deploy(self) -> str:
        """Deploys another release each time, and returns the one that it serves then."""
        (self.folder / "server.py").write_text(f"{SERVER}# {next(VERSIONS)}\n")
        answer = self.platform.deploy(self.folder, name=self.name)
        self.url = answer.url
        return answer.release

    def rollback(self) -> None:
        self.platform.run("rollback", self.name)


VERSIONS: Iterator[int] = count(1)
