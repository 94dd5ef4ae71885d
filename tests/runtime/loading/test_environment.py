"""Tests what a server's process has that nobody configured."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from homeport_runtime.loading.environment import process_environment


def completed(project: Path, environment: Mapping[str, str]) -> dict[str, str]:
    return process_environment(environment, layer=Path("/layer"), project=project, roots=["packages"])


def test_programs_of_the_layer_and_the_interpreter_come_first(tmp_path: Path) -> None:
    path = completed(tmp_path, {"PATH": "/usr/bin"})["PATH"]
    assert path.split(os.pathsep) == ["/layer/bin", str(Path(sys.executable).parent), "/usr/bin"]
    assert completed(tmp_path, {})["PATH"].endswith(os.defpath)


def test_packages_are_found_in_the_order_of_an_import(tmp_path: Path) -> None:
    found = completed(tmp_path, {"PYTHONPATH": "vendor::/opt/shared"})["PYTHONPATH"].split(os.pathsep)
    assert found == [f"{tmp_path}/vendor", "/opt/shared", f"{tmp_path}/packages", f"{tmp_path}/src", "/layer"]


def test_a_user_without_a_passwd_entry_has_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_user: int) -> None:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    (project := tmp_path / "files").mkdir()
    made = completed(project, {"HOME": ""})
    assert Path(made["HOME"]) == tmp_path / "home"
    assert Path(made["HOME"]).is_dir()
    assert made["USER"] == made["LOGNAME"] == str(os.getuid())
    assert completed(project, {"HOME": "/root", "USER": "ada"}).items() >= {"HOME": "/root", "USER": "ada"}.items()
