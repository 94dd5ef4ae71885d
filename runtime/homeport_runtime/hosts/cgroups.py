"""Limits what a process and all that it starts use together (cgroups(7); cgroup-v2.rst and cgroup-v1/ in the kernel's
admin guide).

The group of a process is two folders in each hierarchy: the outer has the limits, and the processes are in the inner
one. So a server that enters a cgroup namespace, of which its own folder is the root, does not find its limits there.
In version 2 the groups share the processor equally.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .cgroup_places import MEMORY, PIDS, PROCESSOR, PROCS, Place, find_places, hand_down, memberships, processes
from .limits import PROCESSES

INNER = "inside"
# The memory, in MB, for what a group has and no process allocates: page tables, sockets, files that are read.
SHARED_MB = 256
# The groups that a server may make within its own.
DESCENDANTS = 64


@dataclass(frozen=True)
class Group:
    """Is the group of one process and what it starts; `folders` are the outer ones of each hierarchy."""

    folders: tuple[Path, ...] = ()

    @classmethod
    def of(cls, pid: int) -> Group:
        """Returns the group that a process is in, if it is one of these."""
        with contextlib.suppress(OSError):
            return cls(tuple(each.folder.parent for each in memberships(pid) if each.folder.name == INNER))
        return cls()

    def add(self, pid: int) -> None:
        """Moves a process, and what it has started, into the group, in which the number of processes is limited.

        It may take some dozen milliseconds, since the kernel waits for all processors. Raises OSError if the kernel
        refuses it.
        """
        for folder in self.folders:
            _make(folder.parent)
            (folder / INNER).mkdir(parents=True, exist_ok=True)
        self._set({"pids.max": PROCESSES, "cgroup.max.descendants": DESCENDANTS})
        if self.folders:
            self._move(pid)

    def _move(self, pid: int) -> None:
        """Moves a process before its children are looked for: those that it starts afterwards are in its group."""
        with contextlib.suppress(ProcessLookupError):
            for folder in self.folders:
                (folder / INNER / PROCS).write_text(str(pid))
        for child in _children(pid):
            self._move(child)

    def holds(self, pid: int) -> bool:
        """Tells whether a process is in the group, in the hierarchy into which it is moved last."""
        return bool(self.folders) and pid in processes(self.folders[-1] / INNER)

    def limit(self, memory_mb: int) -> None:
        """Limits the memory of all processes together, to which SHARED_MB are added; in version 2 all end when one gets
        none.
        """
        allowed = (memory_mb + SHARED_MB) * 1024 * 1024
        unified = {"memory.max": allowed, "memory.swap.max": allowed, "memory.oom.group": 1}
        self._set({**unified, "memory.limit_in_bytes": allowed})

    def _set(self, limits: Mapping[str, int]) -> None:
        """Writes files of which each hierarchy has those of its own version and controllers."""
        for folder in self.folders:
            for name, limit in limits.items():
                try:
                    descriptor = os.open(folder / name, os.O_WRONLY)
                except FileNotFoundError:
                    continue
                with os.fdopen(descriptor, "w") as file:
                    file.write(str(limit))

    def lacked_memory(self) -> bool:
        """Tells whether one of its processes was killed because all together had used their memory."""
        names = ("memory.events", "memory.oom_control")
        return any(_has_killed(folder / name) for folder in self._all() for name in names)

    def end(self) -> None:
        """Kills what is left in the group, and removes it; `Groups.sweep` removes it if that takes longer."""
        for folder in self.folders:
            with contextlib.suppress(OSError):
                (folder / "cgroup.kill").write_text("1")
        for top in self.folders:
            # A server may have made groups of its own within.
            for each, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):
                    Path(each).rmdir()

    def _all(self) -> list[Path]:
        return [each for folder in self.folders for each in (folder, folder / INNER)]


class Groups:
    """Makes the groups of one home, in `places`, of which there are none where the system does not allow it."""

    def __init__(self, home: Path, places: tuple[Place, ...] = ()) -> None:
        name = f"homeport-{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}"
        self._folders = tuple(place.folder / name for place in places)
        controllers = frozenset[str]().union(*(place.controllers for place in places))
        self.limits_memory = {MEMORY, PIDS} <= controllers
        self.shares_processor = PROCESSOR in controllers
        # Since Linux 5.14.
        self.can_kill = any(place.is_unified for place in places)

    @classmethod
    def find(cls, home: Path, pid: int) -> Groups:
        """Returns the groups that the process `pid` can make for `home`."""
        if sys.platform != "linux" or not Path(f"/proc/self/task/{os.getpid()}/children").exists():
            return cls(home)
        try:
            return cls(home, tuple(find_places(pid)))
        except OSError:
            # The process has ended.
            return cls(home)

    def open(self) -> None:
        """Makes the folders for groups, and ends groups that nobody needs any more.

        Raises OSError if the system does not allow it.
        """
        for folder in self._folders:
            _make(folder)
        self.sweep()

    def group(self, pid: int) -> Group:
        """Returns the group for a process, which may not be there yet."""
        return Group(tuple(folder / str(pid) for folder in self._folders))

    def sweep(self) -> None:
        """Ends the groups whose process has ended."""
        for folder in self._folders:
            for pid in [int(entry.name) for entry in folder.glob("[0-9]*")]:
                if _has_ended(pid):
                    self.group(pid).end()

    def close(self) -> bool:
        """Removes all that is left, and returns False as long as processes are about to end."""
        self.sweep()
        for folder in self._folders:
            with contextlib.suppress(OSError):
                folder.rmdir()
        return not any(folder.exists() for folder in self._folders)


def _make(folder: Path) -> None:
    """Makes the folder of all groups, which another process may have removed."""
    if not folder.exists():
        folder.mkdir(exist_ok=True)
        hand_down(folder)


def _children(pid: int) -> list[int]:
    """Returns the processes that a process with one thread has started (proc_pid_task(5))."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _has_ended(pid: int) -> bool:
    """Tells whether a process has ended, even if nobody has asked how (proc_pid_stat(5))."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] == b"Z"
    except OSError:
        return True


def _has_killed(events: Path) -> bool:
    try:
        lines = [line.split() for line in events.read_text().splitlines()]
    except OSError:
        return False
    return any(name == "oom_kill" and int(count) > 0 for name, count in lines)
