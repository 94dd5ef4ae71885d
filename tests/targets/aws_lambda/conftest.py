"""Runs AWS's control plane, and the command line against it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def in_this_process(plane: ControlPlane) -> Iterator[None]:
    """Lets this process deploy to AWS's control plane; nobody asks its new versions whether they answer."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in plane.moto.environment.items():
            patch.setenv(name, value)
        patch.setattr(publish, "shake_hands", lambda *_arguments, **_more: None)
        yield


@pytest.fixture
def unasked(plane: ControlPlane) -> Iterator[ControlPlane]:
    """Runs AWS's control plane for what is deployed from this process."""
    with in_this_process(plane):
        yield plane


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_project(tmp_path)


def copy_project(into: Path, config: str = "") -> Path:
    """Copies a small server for this machine's processor, which the emulator runs on."""
    architecture = f'[deployment.lambda]\narchitecture = "{machine()}"\n'
    return with_config(SERVERS / "mcp2_lowlevel", architecture + config, into)
