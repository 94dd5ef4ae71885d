"""A project that is deployed to Lambda."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.aws.sandbox import machine

from .harness import SERVERS

CONFIG = f'[deployment]\ntarget = "lambda"\n[deployment.lambda]\narchitecture = "{machine()}"\n'


def make_project(folder: Path) -> Path:
    """The server on fastmcp 4, for this machine's processor."""
    shutil.copytree(SERVERS / "fastmcp4", folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "fastmcp.toml").write_text(CONFIG)
    return folder


def edit(server: Path) -> None:
    with server.open("a") as file:
        file.write("\n# edited\n")
