"""Hides from a server the platform that runs it: its home, with the store, the key and other projects.

On Linux the process gets a mount namespace of its own (mount_namespaces(7)), in which that folder contains only what
belongs to the server, and a PID namespace, in which it sees only processes that it has started. Without privileges this
takes a user namespace (user_namespaces(7)), which some distributions do not allow; there Landlock keeps it from files
(landlock.py). The capabilities that it keeps neither undo this nor open the memory or the folders of processes outside
(ptrace(2), "Ptrace access mode checking").
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from . import linux
from .init import go_on_inside, keep_numbering
from .landlock import can_restrict, restrict
from .limits import limit_processes
from .users import HOME, become, become_zygote

# The capabilities that root keeps: those of containers (chown, dac_override, fowner, fsetid, kill, setgid, setuid,
# setpcap, net_bind_service, net_raw, sys_chroot, audit_write, setfcap), without mknod, which would open the disk.
ROOT_KEEPS = frozenset({0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 29, 31})

Means = Literal["namespaces", "landlock"]

# Set in a zygote by enter_for_forks, and inherited by its forks.
_devices_are_protected = False
_forks_change_users = False
_hidden: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Room:
    """Describes what a process and its children may see and change.

    Of the folders in `hidden` they see only what is below `writable` and `read_only`. What is `read_only` cannot be
    changed, even outside of `hidden`. With `by_landlock` Landlock says so, else namespaces. In it they are the user
    `user`, if there is one (users.py), whose home folder is `home`.
    """

    hidden: tuple[Path, ...]
    writable: tuple[Path, ...] = ()
    read_only: tuple[Path, ...] = ()
    by_landlock: bool = False
    user: int | None = None
    home: Path | None = None

    def to_json(self) -> str:
        # Keepers of releases of earlier versions do not know what is new.
        fields = {name: value for name, value in asdict(self).items() if value not in (False, None)}
        return json.dumps(fields, default=str)

    @classmethod
    def from_json(cls, text: str) -> Room:
        fields = json.loads(text)
        by_landlock, user, home = (fields.pop(name, None) for name in ("by_landlock", "user", "home"))
        folders = {name: tuple(map(Path, paths)) for name, paths in fields.items()}
        return cls(**folders, by_landlock=bool(by_landlock), user=user, home=Path(home) if home else None)


def enter(room: Room) -> None:
    """Returns in a child process that is in `room`, with all that it starts; this process waits for it and ends as it
    does. By Landlock it is this process that is in the room.

    The room ends with this process, which must have one thread. Raises OSError if the kernel does not allow it.
    """
    if room.by_landlock:
        restrict(room.hidden, room.writable, room.read_only)
    else:
        enter_empty_room().furnish(room)


@dataclass(frozen=True)
class EmptyRoom:
    """Is a set of namespaces that still show everything, the part of a room that is the same for every server.

    `kept` are the capabilities that may be kept in them, `first` is a socket to their first process.
    """

    kept: frozenset[int]
    first: socket.socket

    def furnish(
        self,
        room: Room,
        lifeline: int | None = None,
        trees: Mapping[Path, int] | None = None,
        namespace: int | None = None,
    ) -> None:
        """Puts this process into `room`, with all that it will start.

        `trees` are mounts of what it cannot see itself, by the path at which they are shown (linux.clone_tree), and
        `namespace` is that of the room's user, which it may not become otherwise (UserNamespaces). Everything in
        the room ends soon after the other end of the socket `lifeline` was closed. Raises OSError if the kernel does
        not allow it.
        """
        _show_only(room, trees or {})
        if room.user is not None:
            become(room.user, namespace)
        else:
            linux.keep_capabilities(self.kept)
        if not self.kept or room.user is not None:
            # Processes are counted by user namespace, and this one has no others.
            limit_processes()
        with self.first:
            if lifeline is not None:
                socket.send_fds(self.first, [b"\0"], [lifeline])


def enter_empty_room() -> EmptyRoom:
    """Returns in a child process that is in an empty room, as `enter` does."""
    kept = _enter_namespaces()
    return EmptyRoom(kept, go_on_inside(_prepare))


def stay_outside() -> None:
    """Gives this process a mount namespace of its own, in which it sees what it saw before and can make mounts."""
    try:
        linux.unshare(linux.CLONE_NEWNS)
    except PermissionError:
        _own_user_namespace(linux.CLONE_NEWNS)
    _own_mounts()


def enter_for_forks(room: Room, map_users: Callable[[], None]) -> None:
    """Puts this process into `room`, where it and its forks may enter rooms within that one.

    Nothing that they do there shows what is hidden, since its mounts belong to the user namespace outside
    (mount_namespaces(7), "Restrictions on mount namespaces"). `map_users` lets a process outside map the users of the
    new user namespace. What is the same for every room of a fork is done here, since that takes the longest.
    """
    global _devices_are_protected, _forks_change_users, _hidden  # noqa: PLW0603 - what all forks of this process have
    keep_numbering()
    _own_mounts()
    if os.getuid() == 0:
        _protect_settings()
        _protect_devices()
        _devices_are_protected = True
    _show_only(room, {})
    _hidden = room.hidden
    linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNS)
    map_users()
    if room.user is not None:
        become_zygote(room.user)
        _forks_change_users = True
    # This process sees the processes outside, unlike its forks in their rooms.
    with contextlib.suppress(OSError):
        linux.keep_signals_inside()


def _prepare() -> None:
    _own_mounts()
    is_root = os.getuid() == 0 or _forks_change_users
    try:
        flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC | (linux.MS_RDONLY if is_root else 0)
        linux.mount("proc", Path("/proc"), "proc", flags)
    except PermissionError:
        # A container that hides parts of /proc does not allow this: processes outside can still be seen, but not more.
        if is_root:
            _protect_settings()
    if is_root and not _devices_are_protected:
        _protect_devices()


def _own_mounts() -> None:
    linux.unshare(linux.CLONE_NEWNS)
    # Nothing propagates to the outside; what is unmounted there is unmounted here, too.
    linux.mount(None, Path("/"), None, linux.MS_REC | linux.MS_SLAVE)


def _protect_settings() -> None:
    """Makes read-only what root may write without any capability: the kernel's settings, such as programs for core
    dumps.
    """
    processes = Path("/proc")
    linux.make_read_only(processes)
    for point in linux.list_mounts(processes):
        # The target of an automount may not exist.
        with contextlib.suppress(OSError):
            linux.make_read_only(point)


def _protect_devices() -> None:
    """Makes /sys, with programs for hot-plug events, read-only, and hides disks from /dev."""
    for point in linux.list_mounts(Path("/sys")):
        linux.make_read_only(point)
    devices = Path("/dev")
    kept = [entry for entry in devices.iterdir() if entry.is_symlink() or entry.is_dir() or _is_for_all(entry)]
    # ptmx looks for pts beside the place where it was made.
    kept = [entry for entry in kept if entry.name != "ptmx"]
    opened = [(entry, os.open(entry, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)) for entry in kept]
    linux.mount("tmpfs", devices, "tmpfs", linux.MS_NOSUID | linux.MS_NOEXEC, "mode=0755,size=64k")
    for entry, descriptor in opened:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISLNK(mode):
            entry.symlink_to(os.readlink("", dir_fd=descriptor))
        else:
            entry.mkdir() if stat.S_ISDIR(mode) else entry.touch()
            linux.bind(f"/proc/self/fd/{descriptor}", entry)
        os.close(descriptor)
    (devices / "ptmx").symlink_to("pts/ptmx")


def _is_for_all(device: Path) -> bool:
    mode = device.stat().st_mode
    return stat.S_ISCHR(mode) and mode & 0o006 == 0o006


def _show_only(room: Room, trees: Mapping[Path, int]) -> None:
    hidden = _still_to_hide(room, trees)
    shown = sorted(path for path in {*room.writable, *room.read_only} if _innermost(path, room.hidden) in hidden)
    outermost = [path for path in shown if not _is_inside(path.parent, shown) and path not in trees]
    opened = {path: os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for path in outermost}
    # Folders that only lead to what is shown; another user must get there, too.
    mode, mask = ("0700", 0o077) if room.user is None else ("0755", 0o022)
    mask = os.umask(mask)
    # Nested folders come after the folders that contain them.
    for folder in sorted(hidden):
        if _is_inside(folder.parent, room.hidden):
            folder.mkdir(parents=True, exist_ok=True)
        linux.mount("tmpfs", folder, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, f"mode={mode},size=64k")
    for path in shown:
        path.mkdir(parents=True, exist_ok=True)
        if path in trees:
            linux.attach(trees[path], path)
        else:
            linux.bind(f"/proc/self/fd/{opened[path]}" if path in opened else str(path), path)
    if room.home is not None:
        (room.hidden[0] / HOME).symlink_to(room.home)
    os.umask(mask)
    for descriptor in opened.values():
        os.close(descriptor)
    # Most of it is already read-only in a zygote's room.
    writable = [path for path in (*room.read_only, *room.hidden) if not linux.is_read_only(path)]
    for path in {*writable} - {*shown, *room.hidden}:
        linux.bind(str(path), path)
    for path in writable:
        linux.make_read_only(path)


def _still_to_hide(room: Room, trees: Iterable[Path]) -> frozenset[Path]:
    """Returns the hidden folders that are not as they are to be already, in a zygote's room: the trees are missing."""
    lacking = {_innermost(path, room.hidden) for path in trees}
    return frozenset(folder for folder in room.hidden if folder not in _hidden or folder in lacking)


def _innermost(path: Path, folders: Iterable[Path]) -> Path | None:
    return max(filter(path.is_relative_to, folders), key=lambda folder: len(folder.parts), default=None)


def _is_inside(path: Path, folders: Iterable[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def keep_memory_private() -> None:
    """Prevents other processes of the same user from reading this one's memory and environment, and core dumps."""
    if sys.platform == "linux":
        linux.set_dumpable(allowed=False)


@cache
def can_hide(home: Path) -> bool:
    """Tells whether `enter` works here, which a process of its own tries."""
    if sys.platform != "linux":
        return False
    child = os.fork()
    if child == 0:
        try:
            enter(Room((home,)))
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def means(home: Path) -> Means | None:
    """Returns what confines servers here, None if nothing does."""
    if can_hide(home):
        return "namespaces"
    return "landlock" if can_restrict() else None


def _enter_namespaces() -> frozenset[int]:
    """Unshares the namespaces, and returns the capabilities that may be kept in them."""
    flags = linux.CLONE_NEWPID | linux.CLONE_NEWIPC
    if _forks_change_users:
        linux.unshare(flags)
        return frozenset()
    if os.getuid() == 0:
        with contextlib.suppress(PermissionError):
            linux.unshare(flags)
            # Servers of root must not read each other's memory; in user namespaces of their own they cannot.
            keep_memory_private()
            return ROOT_KEEPS
    _own_user_namespace(flags)
    return frozenset()


def _own_user_namespace(flags: int) -> None:
    user, group = os.getuid(), os.getgid()
    linux.unshare(linux.CLONE_NEWUSER | flags)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        Path("/proc/self", name).write_text(text)
