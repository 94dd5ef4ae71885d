"""Tests what a process and all that it starts may use together, with real control groups."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from homeport_runtime.hosts import cgroups
from homeport_runtime.hosts.cgroups import SHARED_MB, Groups
from homeport_runtime.hosts.confinement import can_hide
from homeport_runtime.hosts.limits import PROCESSES

from ...support import require

DEADLINE_S = 60.0
# Waits until it is told what to do.
WAITING = "import os, sys, time\nsys.stdin.readline()\n"
# As many children as it is told take as many MB as it is told, and keep them.
TAKES = """
children, size = int(sys.argv[1]), int(sys.argv[2])
for _ in range(children):
    if os.fork() == 0:
        taken = bytearray(size << 20)
        taken[::4096] = b"x" * len(taken[::4096])
        time.sleep(3600)
print("taken", flush=True)
time.sleep(3600)
"""
FORKS = """
started = 0
try:
    while started < 200:
        if os.fork() == 0:
            time.sleep(3600)
        started += 1
except BlockingIOError:
    pass
print(started, flush=True)
time.sleep(3600)
"""


@pytest.fixture
def groups(tmp_path: Path) -> Iterator[Groups]:
    found = Groups.find(tmp_path, os.getpid())
    require(found.limits_memory, "control groups in which memory and processes are counted, and which may be made")
    found.open()
    yield found
    wait_until(found.close)


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()
        process.kill()
        process.wait()


def start(started: list[subprocess.Popen[str]], program: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WAITING + program, *arguments]
    started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    return started[-1]


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_children_share_the_memory_of_one(groups: Groups, started: list[subprocess.Popen[str]]) -> None:
    modest, greedy = start(started, TAKES, "2", "100"), start(started, TAKES, "6", "100")
    for process in (modest, greedy):
        group = groups.group(process.pid)
        group.add(process.pid)
        group.limit(300 - SHARED_MB)
        go(process)
    wait_until(groups.group(greedy.pid).lacked_memory)
    assert said(modest) == "taken"
    assert not groups.group(modest.pid).lacked_memory()
    groups.group(greedy.pid).end()
    wait_until(lambda: greedy.poll() is not None)
    assert modest.poll() is None
    groups.group(modest.pid).end()


def test_children_are_counted(
    groups: Groups, started: list[subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroups, "PROCESSES", 50)
    process = start(started, FORKS)
    group = groups.group(process.pid)
    group.add(process.pid)
    group.limit(1024)
    go(process)
    assert said(process) == "49"
    group.end()


def test_what_was_started_before_is_moved_and_all_of_it_ends(
    groups: Groups, started: list[subprocess.Popen[str]]
) -> None:
    program = "child = os.fork()\nos.setsid() if not child else print(child, flush=True)\ntime.sleep(3600)\n"
    process = start(started, program)
    go(process)
    child = int(said(process))
    group = groups.group(process.pid)
    assert not group.holds(process.pid)
    group.add(process.pid)
    assert group.holds(process.pid)
    assert group.holds(child)
    assert cgroups.Group.of(child) == group, "as the next control plane finds it"
    require(groups.can_kill, "control groups of version 2")
    group.end()
    assert process.wait(DEADLINE_S) == -signal.SIGKILL
    wait_until(lambda: not Path("/proc", str(child)).exists() or is_zombie(child))
    groups.sweep()
    assert not any(folder.exists() for folder in group.folders)


def is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_groups_of_processes_that_live_are_left_alone(groups: Groups, started: list[subprocess.Popen[str]]) -> None:
    process = start(started, "time.sleep(3600)")
    group = groups.group(process.pid)
    group.add(process.pid)
    groups.sweep()
    assert group.holds(process.pid)
    group.end()


def test_a_cgroup_namespace_shows_no_limits(
    groups: Groups, started: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    """As root of a user namespace a server may mount the hierarchies, of which its own group is the root then."""
    require(can_hide(tmp_path), "a system that lets processes have namespaces")
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    script = f"""
        mount -t cgroup2 c {mounted} && mkdir {mounted}/own && echo max > {mounted}/pids.max
        umount {mounted}; mount -t cgroup -o pids c {mounted} && echo max > {mounted}/pids.max
        cat {mounted}/pids.max; mkdir {mounted}/more
    """
    command = ["unshare", "--user", "--map-root-user", "--cgroup", "--mount", "sh", "-c", script]
    program = f"import subprocess\nsubprocess.run({command!r}, stderr=2)\nprint('done', flush=True)\ntime.sleep(3600)"
    process = start(started, program)
    group = groups.group(process.pid)
    group.add(process.pid)
    group.limit(1024)
    go(process)
    while said(process) != "done":
        pass
    limits = [folder / "pids.max" for folder in group.folders if (folder / "pids.max").exists()]
    assert [path.read_text() for path in limits] == [f"{PROCESSES}\n"]
    inner = [each for folder in group.folders for each in folder.glob("inside/*/") if each.is_dir()]
    assert inner, "it made groups of its own"
    group.end()
    process.wait(DEADLINE_S)
    groups.sweep()
    assert not any(folder.exists() for folder in group.folders)


def test_where_none_may_be_made_nothing_is_done(tmp_path: Path) -> None:
    nowhere = Groups(tmp_path)
    nowhere.open()
    group = nowhere.group(os.getpid())
    group.add(os.getpid())
    group.limit(64)
    assert not group.holds(os.getpid())
    assert not group.lacked_memory()
    group.end()
    nowhere.close()
