"""AWS's control plane, and the command line against it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from platform_cli.targets.aws_lambda import publish
from tests.aws.control_plane import ControlPlane
from tests.aws.moto_server import Moto, moto
from tests.aws.sandbox import machine
from tests.support import SERVERS, Platform, require, with_config, with_packages

__all__ = ["moto"]


@pytest.fixture(scope="session")
def plane(moto: Moto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    require(os.geteuid() == 0 and shutil.which("unshare"), "the emulator's sandboxes need root and unshare")
    running = ControlPlane(moto, tmp_path_factory.mktemp("functions"))
    yield running
    running.close()


@pytest.fixture(scope="session")
def laptop(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    return plane.laptop(with_packages(tmp_path_factory.mktemp("home")))


@pytest.fixture
def unasked(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> ControlPlane:
    """For commands in this process, whose new versions nobody asks whether they answer."""
    for name, value in plane.moto.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(publish, "shake_hands", lambda *_arguments, **_more: None)
    return plane


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_project(tmp_path)


def copy_project(into: Path, config: str = "") -> Path:
    """A small server for this machine's processor, which the emulator runs on."""
    architecture = f'[deployment.lambda]\narchitecture = "{machine()}"\n'
    return with_config(SERVERS / "mcp2_lowlevel", architecture + config, into)
