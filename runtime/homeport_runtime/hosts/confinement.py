"""What a server does not get to see of the platform that runs it: its home, with the store, the key, other projects.

On Linux the process gets a mount namespace of its own (mount_namespaces(7)), in which that folder has nothing in it but
what belongs to the server. Without privileges this takes a user namespace (user_namespaces(7)), which
some distributions do not allow. What is left of its capabilities neither undoes this nor opens the memory or the
folders of processes outside (ptrace(2), "Ptrace access mode checking").
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# <linux/sched.h>, <linux/mount.h>, <linux/prctl.h>, <linux/capability.h>
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_SLAVE = 32, 4096, 16384, 1 << 19
PR_SET_DUMPABLE, PR_CAPBSET_DROP = 4, 24
CAPABILITY_VERSION_3 = 0x20080522
CAPABILITIES = 64
# The Filesystem Hierarchy Standard's, and what shm_open(3) uses.
SHARED_TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - they are looked at, and replaced
LIBRARY = ctypes.CDLL(None, use_errno=True)
# What root keeps: what containers have (chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap,
# net_bind_service, net_raw, sys_chroot, audit_write, setfcap), without mknod, which would open the disk.
ROOT_KEEPS = frozenset({0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 29, 31})


@dataclass(frozen=True)
class Room:
    """What a process and its children may see and change.

    Of the folders in `hidden` there is nothing but what is below `writable` and `read_only`. The folders in `temporary`
    are its own: empty at first, held in memory up to `temporary_mb`, gone with it.
    """

    hidden: tuple[Path, ...]
    writable: tuple[Path, ...] = ()
    read_only: tuple[Path, ...] = ()
    temporary: tuple[Path, ...] = ()
    temporary_mb: int = 1024


def temporary_folders() -> tuple[Path, ...]:
    """Those that all processes of this machine share, and the one that TMPDIR names."""
    own = os.environ.get("TMPDIR")
    named = {*map(Path, SHARED_TEMPORARY), *([Path(own).absolute()] if own else [])}
    return tuple(sorted(folder for folder in named if folder.is_dir() and not folder.is_symlink()))


def enter(room: Room) -> None:
    """From now on this process and its children are in `room`.

    The process must have one thread. Raises OSError where the kernel does not allow it.
    """
    kept = _enter_namespace()
    # Nothing propagates out; what is unmounted outside goes here too.
    _mount(None, Path("/"), None, MS_REC | MS_SLAVE)
    _show_only(room)
    _keep_capabilities(kept)


def _show_only(room: Room) -> None:
    replaced = {**dict.fromkeys(room.temporary, f"mode=1777,size={room.temporary_mb}m")}
    replaced |= dict.fromkeys(room.hidden, "mode=0700,size=64k")
    shown = sorted(path for path in {*room.writable, *room.read_only} if _is_inside(path, replaced))
    opened = {path: os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for path in shown}
    # Those that are in others come after them.
    for folder, options in sorted(replaced.items()):
        if _is_inside(folder.parent, replaced):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV, options)
    for path, descriptor in opened.items():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _mount(f"/proc/self/fd/{descriptor}", path, None, MS_BIND | MS_REC)
        os.close(descriptor)
    for path in (*(path for path in shown if path in room.read_only), *room.hidden):
        # A user namespace may not take away what the mount it came from forbids.
        forbidden = os.statvfs(path).f_flag & (MS_NOSUID | MS_NODEV | MS_NOEXEC)
        _mount(None, path, None, MS_REMOUNT | MS_BIND | MS_RDONLY | forbidden)


def _is_inside(path: Path, folders: Iterable[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def keep_memory_private() -> None:
    """No process of the same user reads the memory or the environment of this one, and no core dump has them."""
    if sys.platform == "linux":
        _call("prctl", PR_SET_DUMPABLE, 0, 0, 0, 0)


@cache
def can_hide(home: Path) -> bool:
    """Whether `enter` works here, tried by a process of its own."""
    if sys.platform != "linux":
        return False
    child = os.fork()
    if child == 0:
        try:
            enter(Room((home,), temporary=temporary_folders()))
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def _enter_namespace() -> frozenset[int]:
    """Returns the capabilities that may be kept in it."""
    try:
        _call("unshare", CLONE_NEWNS)
    except PermissionError:
        user, group = os.getuid(), os.getgid()
        _call("unshare", CLONE_NEWUSER | CLONE_NEWNS)
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            Path("/proc/self", name).write_text(text)
        return frozenset()
    # Servers that root runs do not read each other's memory either. In a user namespace of its own none does.
    keep_memory_private()
    return ROOT_KEEPS


def _keep_capabilities(kept: frozenset[int]) -> None:
    for number in range(CAPABILITIES):
        if number not in kept:
            try:
                _call("prctl", PR_CAPBSET_DROP, number, 0, 0, 0)
            except OSError as error:
                # Beyond the last one that this kernel knows.
                if error.errno != errno.EINVAL:
                    raise
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    # Effective, permitted and inheritable of the first 32, then of the others.
    sets = (ctypes.c_uint32 * 6)()
    _call("capget", header, sets)
    allowed = sum(1 << number for number in kept)
    for index in range(6):
        sets[index] &= allowed >> (32 * (index // 3)) & 0xFFFFFFFF
    _call("capset", header, sets)


def _mount(source: str | None, target: Path, kind: str | None, flags: int, data: str | None = None) -> None:
    texts = [None if text is None else os.fsencode(text) for text in (source, str(target), kind, data)]
    _call("mount", *texts[:3], ctypes.c_ulong(flags), texts[3])


def _call(name: str, *arguments: object) -> None:
    """A function of the C library that answers 0 when it has worked."""
    if getattr(LIBRARY, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
