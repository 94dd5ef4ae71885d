"""Tests that a program that a build starts sees no more than its room."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from homeport_runtime.hosts.confinement import Room, can_hide
from homeport_runtime.hosts.room_command import command_in

from ...support import require


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    for name in ("draft", "cache"):
        (home / name).mkdir(parents=True)
    (home / "secrets.key").write_text("key")
    require(can_hide(home), "a system that lets processes have mount namespaces")
    return home


def run(home: Path, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    room = Room((home,), writable=(home / "draft",), read_only=(home / "cache",))
    return subprocess.run(command_in(room, command, 1024), capture_output=True, text=True, check=False)


def test_it_sees_its_room_alone(home: Path) -> None:
    done = run(home, ["sh", "-c", f"ls {home}; cat {home}/secrets.key; touch {home}/draft/a {home}/cache/b; exit 3"])
    assert done.stdout.split() == ["cache", "draft"]
    assert done.returncode == 3
    assert "secrets.key" in done.stderr
    assert (home / "draft" / "a").exists()
    assert not (home / "cache" / "b").exists()


def test_what_cannot_be_started_is_said(home: Path) -> None:
    done = run(home, ["nothing-of-this-name"])
    assert (done.returncode, done.stderr) == (
        127,
        "nothing-of-this-name cannot be started: No such file or directory\n",
    )


def test_what_cannot_be_confined_does_not_run(home: Path) -> None:
    done = run(home / "none", ["echo", "ran"])
    assert (done.returncode, done.stdout) == (125, "")
    assert "echo cannot be confined" in done.stderr
