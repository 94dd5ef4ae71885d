"""Makes system calls of Linux that Python's standard library does not have, or not yet in 3.10."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from pathlib import Path

# <linux/sched.h>, <linux/mount.h>, <linux/prctl.h>, <linux/capability.h>
CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID = 0x00020000, 0x08000000, 0x10000000, 0x20000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_SLAVE = 32, 4096, 16384, 1 << 19
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 24, 38
_PR_SET_CHILD_SUBREAPER = 36
# landlock(7) in <asm/unistd.h>, the same on all machines; <linux/landlock.h>.
_LANDLOCK_CREATE_RULESET, _LANDLOCK_ADD_RULE, _LANDLOCK_RESTRICT_SELF = 444, 445, 446
_LANDLOCK_CREATE_RULESET_VERSION, _LANDLOCK_RULE_PATH_BENEATH, _LANDLOCK_SCOPE_SIGNAL = 1, 1, 1 << 1
# <asm-generic/mman-common.h>
_MADV_COLLAPSE = 25
# <linux/seccomp.h>, and seccomp(2) in <asm/unistd.h>.
_SECCOMP_SET_MODE_FILTER, _SECCOMP_MODE_FILTER, _SECCOMP_FILTER_FLAG_SPEC_ALLOW = 1, 2, 4
_SECCOMP_CALLS = {"x86_64": 317, "aarch64": 277}
# open_tree(2) and move_mount(2) in <asm/unistd.h>, the same on all machines; <linux/mount.h>, <linux/fcntl.h>.
_OPEN_TREE, _MOVE_MOUNT = 428, 429
_OPEN_TREE_CLONE, _MOVE_MOUNT_F_EMPTY_PATH = 1, 4
_AT_FDCWD, _AT_SYMLINK_NOFOLLOW, _AT_RECURSIVE = -100, 0x100, 0x8000
_CAPABILITY_VERSION_3 = 0x20080522
_CAPABILITIES = 64
_LIBRARY = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Calls unshare(2)."""
    _call("unshare", flags)


def mount(source: str | None, target: Path, kind: str | None, flags: int, data: str | None = None) -> None:
    """Calls mount(2)."""
    texts = [None if text is None else os.fsencode(text) for text in (source, str(target), kind, data)]
    _call("mount", *texts[:3], ctypes.c_ulong(flags), texts[3])


def bind(source: str, target: Path) -> None:
    """Shows `source`, with what is mounted below it, at `target`."""
    mount(source, target, None, MS_BIND | MS_REC)


def make_read_only(target: Path) -> None:
    """Makes the mount at `target` read-only."""
    # A user namespace may not allow what the original mount forbids.
    forbidden = os.statvfs(target).f_flag & (MS_NOSUID | MS_NODEV | MS_NOEXEC)
    mount(None, target, None, MS_REMOUNT | MS_BIND | MS_RDONLY | forbidden)


def clone_tree(path: Path) -> int:
    """Returns a descriptor of a mount of `path`, with what is mounted below it, that is in no namespace yet.

    Whoever gets it may show it in their own. Kernels before 5.2 do not support this.
    """
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_RECURSIVE | _AT_SYMLINK_NOFOLLOW
    return _system_call(_OPEN_TREE, _AT_FDCWD, os.fsencode(path), flags)


def attach(tree: int, target: Path) -> None:
    """Shows at `target` a mount that `clone_tree` has made."""
    _system_call(_MOVE_MOUNT, tree, b"", _AT_FDCWD, os.fsencode(target), _MOVE_MOUNT_F_EMPTY_PATH)


def is_read_only(target: Path) -> bool:
    return bool(os.statvfs(target).f_flag & os.ST_RDONLY)


def collapse(start: int, length: int) -> bool:
    """Moves memory into huge pages; False if the kernel does not support it (madvise(2), MADV_COLLAPSE)."""
    done = _LIBRARY.madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), _MADV_COLLAPSE) == 0
    return done or ctypes.get_errno() != errno.EINVAL


def die_with_parent(signal: int) -> None:
    """Lets this process get `signal` when the thread that started it ends."""
    _call("prctl", _PR_SET_PDEATHSIG, signal, 0, 0, 0)


def list_mounts(below: Path) -> list[Path]:
    """Returns the mount points at and below `below`, outermost first (proc_pid_mountinfo(5))."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = {Path(line.split(" ")[4].encode().decode("unicode_escape")) for line in lines}
    return sorted(point for point in points if point.is_relative_to(below))


def enter_namespace(namespace: int, kind: int) -> None:
    """Calls setns(2) for a descriptor."""
    _call("setns", namespace, kind)


def set_dumpable(*, allowed: bool) -> None:
    """Allows other processes of the same user to read this one's memory and environment, or prevents it until it calls
    execve(2).
    """
    _call("prctl", _PR_SET_DUMPABLE, int(allowed), 0, 0, 0)


def adopt_orphans() -> None:
    """Makes this process the parent of descendants whose parent ends (prctl(2)); it has to wait for them."""
    _call("prctl", _PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def set_no_new_privileges() -> None:
    """Prevents programs that this process executes, directly or not, from gaining privileges (prctl(2))."""
    _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def keep_signals_inside() -> None:
    """Limits this process and what it starts to signalling each other; kernels before 6.12 do not support this."""
    ruleset = landlock_ruleset(0, keeps_signals=True)
    try:
        landlock_restrict(ruleset)
    finally:
        os.close(ruleset)


def landlock_version() -> int:
    """Returns the version of Landlock's interface; the kernel refuses the call where it has none."""
    return _system_call(_LANDLOCK_CREATE_RULESET, 0, 0, _LANDLOCK_CREATE_RULESET_VERSION)


def landlock_ruleset(handled: int, *, keeps_signals: bool) -> int:
    """Returns a ruleset: what is `handled` of files is forbidden unless rules allow it (landlock_create_ruleset(2))."""
    # struct landlock_ruleset_attr: files, the network, scopes. Older kernels know less of it, which must be zero then.
    attributes = struct.pack("QQQ", handled, 0, _LANDLOCK_SCOPE_SIGNAL if keeps_signals else 0)
    return _system_call(_LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0)


def landlock_allow(ruleset: int, path: int, allowed: int) -> None:
    """Adds the rule that `allowed` may be done with a file, or in a folder and all folders below it, by its descriptor
    (landlock_add_rule(2)).
    """
    _system_call(_LANDLOCK_ADD_RULE, ruleset, _LANDLOCK_RULE_PATH_BENEATH, struct.pack("=Qi", allowed, path), 0)


def landlock_restrict(ruleset: int) -> None:
    """Restricts this process and what it starts, for good (landlock_restrict_self(2))."""
    _system_call(_LANDLOCK_RESTRICT_SELF, ruleset, 0)


def seccomp_filter(steps: int, address: int) -> None:
    """Adds a filter of system calls: a BPF program of so many steps at `address` (seccomp(2))."""
    program = struct.pack("HxxxxxxQ", steps, address)
    buffer = ctypes.create_string_buffer(program)
    # Without the flag old kernels slow down all memory accesses of the process, against Spectre's fourth variant.
    flags = ctypes.c_ulong(_SECCOMP_FILTER_FLAG_SPEC_ALLOW)
    number = _SECCOMP_CALLS.get(os.uname().machine)
    if number is None:
        _call("prctl", _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.c_void_p(ctypes.addressof(buffer)), 0, 0)
    else:
        _call("syscall", number, _SECCOMP_SET_MODE_FILTER, flags, ctypes.c_void_p(ctypes.addressof(buffer)))


def keep_capabilities(kept: frozenset[int]) -> None:
    """Drops all other capabilities, for ever, of this process and what it starts, in its user namespace."""
    bound_capabilities(kept)
    hold_capabilities(kept)


def bound_capabilities(kept: frozenset[int]) -> None:
    """Prevents this process and what it starts from ever getting others; those that it has stay."""
    for number in range(_CAPABILITIES):
        if number not in kept:
            try:
                _call("prctl", _PR_CAPBSET_DROP, number, 0, 0, 0)
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
                # This is beyond the last capability that the kernel knows.
                break


def hold_capabilities(kept: frozenset[int]) -> None:
    """Drops all other capabilities that this process has now."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    # The effective, permitted and inheritable capabilities, first the lower 32, then the others.
    sets = (ctypes.c_uint32 * 6)()
    _call("capget", header, sets)
    allowed = sum(1 << number for number in kept)
    for index in range(6):
        sets[index] &= allowed >> (32 * (index // 3)) & 0xFFFFFFFF
    _call("capset", header, sets)


def _system_call(number: int, *arguments: int | bytes) -> int:
    """Makes a system call for which the C library has no function, or not on every system."""
    words = [ctypes.c_long(word) if isinstance(word, int) else ctypes.c_char_p(word) for word in arguments]
    result = int(_LIBRARY.syscall(ctypes.c_long(number), *words))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"system call {number}: {os.strerror(error)}")
    return result


def _call(name: str, *arguments: object) -> None:
    """Calls a function of the C library that returns 0 when it has succeeded."""
    if getattr(_LIBRARY, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
