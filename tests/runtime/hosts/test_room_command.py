"""Tests that a program that a build starts sees no more than its room."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from homeport_runtime.hosts.cgroups import Groups
from homeport_runtime.hosts.confinement import Room, can_hide
from homeport_runtime.hosts.landlock import can_restrict
from homeport_runtime.hosts.room_command import command_in

from ...small_disks import small_disk
from ...support import require

# Ten processes, of which none takes more than it may.
TAKES = """
import subprocess, sys
take = "taken = bytearray(40 << 20); taken[::4096] = bytes([1]) * len(taken[::4096]); import time; time.sleep(%s)"
children = [subprocess.Popen([sys.executable, "-c", take % seconds]) for seconds in [1] * 10]
sys.exit(any([child.wait() for child in children]))
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    for name in ("draft", "cache"):
        (home / name).mkdir(parents=True)
    (home / "secrets.key").write_text("key")
    require(can_hide(home), "a system that lets processes have mount namespaces")
    return home


def run(
    home: Path, command: Sequence[str], *, by_landlock: bool = False, memory_mb: int = 1024
) -> subprocess.CompletedProcess[str]:
    room = Room((home,), (home / "draft",), (home / "cache",), by_landlock)
    return subprocess.run(command_in(room, command, memory_mb), capture_output=True, text=True, check=False)


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


def test_by_landlock_it_sees_its_room_alone(home: Path) -> None:
    require(can_restrict(), "Landlock, of Linux 6.2 or newer")
    (home / "cache" / "wheel").write_text("a wheel")
    command = f"ls {home}; cat {home}/secrets.key {home}/cache/wheel; touch {home}/draft/a {home}/cache/b; exit 3"
    done = run(home, ["sh", "-c", command], by_landlock=True)
    assert (done.returncode, done.stdout) == (3, "a wheel")
    assert done.stderr.count("Permission denied") == 3
    assert (home / "draft" / "a").exists()
    assert not (home / "cache" / "b").exists()


def test_a_build_that_fills_the_disk_is_ended(home: Path) -> None:
    with small_disk(home / "draft", 64):
        fill = f"dd if=/dev/zero of={home}/draft/fill bs=1M count=60 status=none; sleep 3600"
        done = run(home, ["sh", "-c", fill])
    assert done.returncode == -9
    assert done.stderr == f"error: sh was ended, since it left too little of the disk at {home}/draft\n"


def test_processes_of_a_build_share_its_memory(home: Path) -> None:
    require(Groups.find(home, os.getpid()).limits_memory, "control groups that this process may make")
    done = run(home, [sys.executable, "-c", TAKES], memory_mb=100)
    assert done.returncode != 0
    assert "used more than 100 MB of memory" in done.stderr
    assert run(home, [sys.executable, "-c", TAKES], memory_mb=1024).returncode == 0
