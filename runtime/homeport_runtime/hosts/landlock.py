"""Keeps a process from files by Landlock (landlock(7)), where namespaces are not to be had.

Landlock allows and does not forbid: what is allowed in a folder is allowed in all folders below it. So a folder in
which something is to be hidden is not allowed itself, but everything else in it, as it is now. The process can
therefore not list such a folder (the parents of the platform's own), nor make anything in it.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from . import linux

# <linux/landlock.h>: execute, write, read a file, read a folder, and all that changes folders, with refer and truncate.
_EXECUTE, _WRITE, _READ, _LIST = 1, 2, 4, 8
_TRUNCATE = 1 << 14
_CHANGE = (1 << 15) - 1
_SEE = _EXECUTE | _READ | _LIST
_ON_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE
# The version that knows truncate(2): Linux 6.2. With older ones a process could empty all files.
_LEAST_VERSION = 3
# The version that keeps signals inside: Linux 6.12.
_SCOPES_SIGNALS = 6


@cache
def can_restrict() -> bool:
    """Tells whether this system has a Landlock that hides files as `restrict` promises."""
    return _version() >= _LEAST_VERSION


def scopes_signals() -> bool:
    return _version() >= _SCOPES_SIGNALS


def restrict(hidden: tuple[Path, ...], writable: tuple[Path, ...], read_only: tuple[Path, ...]) -> None:
    """Keeps this process, and all that it starts, from what is `hidden`, but for what is `writable` or `read_only`, and
    from changing what is `read_only`.

    It can neither look into processes outside nor, since Linux 6.12, signal them. Raises OSError if the kernel does not
    allow it.
    """
    rights = dict.fromkeys(hidden, 0) | dict.fromkeys(read_only, _SEE) | dict.fromkeys(writable, _CHANGE)
    rights = {folder.resolve(): allowed for folder, allowed in rights.items() if folder.exists()}
    linux.set_no_new_privileges()
    ruleset = linux.landlock_ruleset(_CHANGE, keeps_signals=scopes_signals())
    try:
        for path, allowed in _rules(Path("/"), _CHANGE, rights):
            _allow(ruleset, path, allowed)
        linux.landlock_restrict(ruleset)
    finally:
        os.close(ruleset)


def _rules(path: Path, inherited: int, rights: Mapping[Path, int]) -> Iterator[tuple[Path, int]]:
    """Yields what is allowed from `path` on, where `inherited` is allowed unless `rights` say something else."""
    allowed = rights.get(path, inherited)
    below = {each: rights[each] for each in rights if path in each.parents}
    if all(allowed & more == allowed for more in below.values()):
        if allowed:
            yield path, allowed
        for each in below:
            if below.keys().isdisjoint(each.parents):
                yield from _rules(each, allowed, below)
        return
    for entry in os.scandir(path):
        if not entry.is_symlink():
            yield from _rules(Path(entry.path), allowed, below)


def _allow(ruleset: int, path: Path, allowed: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        # It is gone, or this user may not reach it anyway.
        return
    try:
        linux.landlock_allow(ruleset, descriptor, allowed if path.is_dir() else allowed & _ON_FILES)
    except OSError as error:
        # Files of the kernel's own, such as a socket's, cannot be in a rule.
        if error.errno not in (errno.EBADFD, errno.EINVAL):
            raise
    finally:
        os.close(descriptor)


def _version() -> int:
    """Returns the version of the kernel's Landlock, 0 if it has none."""
    if sys.platform != "linux":
        return 0
    try:
        return linux.landlock_version()
    except OSError:
        return 0
