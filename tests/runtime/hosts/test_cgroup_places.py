"""Tests where groups are made in a hierarchy of version 2, in folders that look like one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from homeport_runtime.hosts import cgroup_places
from homeport_runtime.hosts.cgroup_places import ASIDE, Membership, find_places, step_aside


def made(folder: Path, *, hands_down: str = "", processes: str = "") -> Path:
    folder.mkdir(parents=True)
    (folder / "cgroup.type").write_text("domain\n")
    (folder / "cgroup.controllers").write_text("cpu io memory pids\n")
    (folder / "cgroup.subtree_control").write_text(f"{hands_down}\n")
    (folder / "cgroup.procs").write_text(processes)
    return folder


def belongs(monkeypatch: pytest.MonkeyPatch, top: Path, own: Path) -> None:
    membership = Membership(top, own, frozenset(), is_unified=True)
    monkeypatch.setattr(cgroup_places, "memberships", lambda _pid: iter([membership]))


def test_the_nearest_that_hands_down_memory_and_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = made(tmp_path / "top", hands_down="cpu memory pids")
    made(top / "user", hands_down="memory pids")
    made(top / "user" / "app", hands_down="pids")
    belongs(monkeypatch, top, made(top / "user" / "app" / "terminal"))
    (place,) = find_places(1)
    assert place.folder == top / "user"
    assert place.controllers == {"memory", "pids"}


def test_a_group_of_its_own_is_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As systemd gives it to a service with Delegate=."""
    top = made(tmp_path / "top")
    own = made(top / "homeport.service", processes=f"{os.getpid()}\n")
    belongs(monkeypatch, top, own)
    step_aside()
    assert (own / ASIDE / "cgroup.procs").read_text() == str(os.getpid())
    assert (own / "cgroup.subtree_control").read_text() == "+cpu", "the last of those that were asked for"


def test_a_group_with_other_programs_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = made(tmp_path / "top")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as other:
        own = made(top / "session.scope", processes=f"{os.getpid()}\n{other.pid}\n")
        belongs(monkeypatch, top, own)
        step_aside()
        other.communicate(b"\n")
    assert not (own / ASIDE).exists()
