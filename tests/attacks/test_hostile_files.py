"""What lies where a server could write is hostile to the platform that reads it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..e2e.probing import call
from ..support import SERVERS, CommandFailedError, Platform, with_packages


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(with_packages(tmp_path_factory.mktemp("hostile") / "home"))
    # The keyring of whoever runs the tests is left alone.
    platform.environment["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    yield platform
    platform.stop()


@pytest.fixture
def evil(platform: Platform, tmp_path: Path) -> Iterator[Path]:
    """A project's folder, which is deployed as `evil`."""
    folder = Path(shutil.copytree(SERVERS / "mcp2_lowlevel", tmp_path / "evil"))
    change(folder)
    platform.deploy(folder, name="evil")
    yield folder
    platform.run("destroy", "evil")


def change(folder: Path) -> None:
    with (folder / "server.py").open("a") as file:
        file.write(f"# {os.urandom(4).hex()}\n")


@pytest.mark.parametrize("way", ["restart", "rollback"])
def test_a_manifest_that_names_another_program(platform: Platform, evil: Path, tmp_path: Path, way: str) -> None:
    victim = platform.deploy(SERVERS / "mcp2_lowlevel", name="victim").url
    bundle = platform.home / "bundles" / platform.run("status", "evil")["bundle"]
    manifest = json.loads((bundle / "manifest.json").read_text())
    program = tmp_path / "program"
    program.write_text(f'#!/bin/sh\ntouch {tmp_path}/ran\nexec {manifest["interpreter"]["path"]} "$@"\n')
    program.chmod(0o755)
    manifest["interpreter"]["path"] = str(program)
    (bundle / "manifest.json").write_text(json.dumps(manifest))

    if way == "restart":
        platform.stop()
        platform.run("platform", "start")
        assert "has been changed" in platform.run("status", "evil")["last_error"]
    else:
        change(evil)
        platform.deploy(evil, name="evil")
        with pytest.raises(CommandFailedError, match="has been changed"):
            platform.run("rollback", "evil")
    assert call(victim, "add", a=1, b=2) == "3"
    assert call(platform.deploy(evil, name="evil").url, "add", a=1, b=2) == "3", "it is built again"
    assert platform.run("status", "evil")["last_error"] is None
    assert not (tmp_path / "ran").exists()


def test_code_that_another_project_with_the_same_files_changed(platform: Platform, evil: Path) -> None:
    bundle = platform.home / "bundles" / platform.run("status", "evil")["bundle"]
    with (bundle / "app" / "server.py").open("a") as file:
        file.write("raise SystemExit('changed')\n")
    assert call(platform.deploy(evil, name="victim").url, "add", a=1, b=2) == "3"
