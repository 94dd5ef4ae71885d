"""Finds where this process may make control groups, in each hierarchy that the system has (cgroups(7))."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MEMORY, PIDS, PROCESSOR = "memory", "pids", "cpu"
CONTROLLERS = (MEMORY, PIDS, PROCESSOR)
# Those of version 1 that are used. There the processor's has made wakes slower beside other work: all groups of a
# platform together would get what each session gets without them (sched(7), "The autogroup feature").
COUNTED = frozenset({MEMORY, PIDS})
PROCS = "cgroup.procs"
# The group into which processes move that are in the way of limits for others.
ASIDE = "platform"


@dataclass(frozen=True)
class Membership:
    """Says in which group of a hierarchy a process is: its `folder`, and the hierarchy's root `top` as it is mounted.

    `controllers` are those of a hierarchy of version 1; in the one of version 2 each folder says which it has.
    """

    top: Path
    folder: Path
    controllers: frozenset[str]
    is_unified: bool


@dataclass(frozen=True)
class Place:
    """Is a folder in which groups can be made that have `controllers`."""

    folder: Path
    controllers: frozenset[str]
    is_unified: bool


def memberships(pid: int) -> Iterator[Membership]:
    """Yields the groups of a process in the hierarchies that matter here and are mounted."""
    mounts = list(_mounts())
    for line in Path("/proc", str(pid), "cgroup").read_text().splitlines():
        _number, names, group = line.split(":", 2)
        for kind, options, root, point in mounts:
            is_unified = kind == "cgroup2" and not names
            controllers = frozenset(names.split(",")) & COUNTED
            if (is_unified or (kind == "cgroup" and controllers and controllers <= options)) and _is_below(group, root):
                yield Membership(point, point / Path(group).relative_to(root), controllers, is_unified)
                break


@cache
def mount_points() -> tuple[Path, ...]:
    """Returns where the hierarchies are mounted, in which limits are files."""
    if sys.platform != "linux":
        return ()
    return tuple(sorted({each.top for each in memberships(os.getpid())}))


def find_places(pid: int) -> Iterator[Place]:
    """Yields where groups can be made by a process such as `pid`, with this process's rights."""
    for own in memberships(pid):
        if not own.is_unified:
            place = Place(own.folder, own.controllers, is_unified=False)
        else:
            handing = (
                folder for folder in _upwards(own) if {MEMORY, PIDS} <= _words(folder / "cgroup.subtree_control")
            )
            folder = next(filter(_is_writable, handing), own.folder)
            place = Place(folder, _words(folder / "cgroup.subtree_control") & frozenset(CONTROLLERS), is_unified=True)
        if _is_writable(place.folder):
            yield place


def step_aside() -> None:
    """Makes room for groups with limits below the group of this process, if no other program is in that.

    In version 2 only a group without processes has controllers for those below it (cgroup-v2.rst, "No Internal Process
    Constraint"), so its processes move into a group of their own.
    """
    for own in memberships(os.getpid()):
        if own.is_unified and MEMORY in _words(own.folder / "cgroup.controllers") and _is_alone(own.folder):
            with contextlib.suppress(OSError):
                (own.folder / ASIDE).mkdir(exist_ok=True)
                for pid in processes(own.folder):
                    (own.folder / ASIDE / PROCS).write_text(str(pid))
                hand_down(own.folder)


def hand_down(folder: Path) -> None:
    """Gives the groups below `folder` the controllers that it has; in version 1 they have them already."""
    for name in CONTROLLERS:
        with contextlib.suppress(OSError):
            (folder / "cgroup.subtree_control").write_text(f"+{name}")


def processes(folder: Path) -> list[int]:
    try:
        return [int(line) for line in (folder / PROCS).read_text().split()]
    except OSError:
        return []


def _is_alone(folder: Path) -> bool:
    """Tells whether the group has only processes of this process's session, and is not the one of all programs."""
    if not (folder / "cgroup.type").exists() or not _is_writable(folder) or folder.name == ASIDE:
        return False
    with contextlib.suppress(OSError):
        return all(os.getsid(pid) == os.getsid(0) for pid in processes(folder))
    return False


def _upwards(own: Membership) -> Iterator[Path]:
    yield from (folder for folder in (own.folder, *own.folder.parents) if folder.is_relative_to(own.top))


def _mounts() -> Iterator[tuple[str, frozenset[str], str, Path]]:
    """Yields kind, options, root and mount point of mounts of control groups (proc_pid_mountinfo(5))."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mounted, _, system = line.partition(" - ")
        _id, _parent, _device, root, point, *_ = mounted.split(" ")
        kind, _source, options = system.split(" ")
        if kind in ("cgroup", "cgroup2"):
            yield kind, frozenset(options.split(",")), root, Path(point)


def _is_below(group: str, root: str) -> bool:
    """Tells whether a group is seen below a mount: others are outside of the cgroup namespace."""
    return ".." not in Path(group).parts and Path(group).is_relative_to(root)


def _is_writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK)


def _words(path: Path) -> frozenset[str]:
    try:
        return frozenset(path.read_text().split())
    except OSError:
        return frozenset()
