"""A project that is deployed to Lambda, and the tests' control plane (moto) to deploy it to."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.aws.control_plane import ControlPlane
from tests.aws.moto_server import running_moto
from tests.aws.sandbox import machine

from .harness import SERVERS

CONFIG = f'[deployment]\ntarget = "lambda"\n[deployment.lambda]\narchitecture = "{machine()}"\n'


@contextmanager
def control_plane(root: Path) -> Iterator[ControlPlane]:
    """It lays out below `root` the functions that are called."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    with running_moto() as moto:
        plane = ControlPlane(moto, root)
        try:
            yield plane
        finally:
            plane.close()


def make_project(folder: Path) -> Path:
    """The server on fastmcp 4, for this machine's processor."""
    shutil.copytree(SERVERS / "fastmcp4", folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "fastmcp.toml").write_text(CONFIG)
    return folder


def edit(server: Path) -> None:
    with server.open("a") as file:
        file.write("\n# edited\n")
