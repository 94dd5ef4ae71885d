"""Limits the resources of a process, so that a server or a build that leaks ends itself and not its neighbours."""

from __future__ import annotations

import contextlib
import os
import resource

# The limit on connections, files and pipes; the usual 1,024 is soon reached by a server with many clients.
OPEN_FILES = 8192
# The limit on processes and threads together; browsers have some hundreds.
PROCESSES = 2048
# A crash must not write memory, which has secrets in it, to a file. The limit is one byte, since Linux passes a dump of
# zero bytes to the program in core_pattern nevertheless, and one of one byte to nobody (core(5); fs/coredump.c).
CORE_BYTES = 1
# The largest file that a build may write; the largest wheels have some gigabytes.
BUILD_FILE_BYTES = 16 * 1024 * 1024 * 1024
# How much builds give way to servers (nice(2)).
BUILD_NICENESS = 10


def limit_process(memory_mb: int) -> None:
    """Limits open files, core dumps and private memory (RLIMIT_DATA) of this process and of each that it starts.

    Beyond the limit an allocation fails with MemoryError. macOS does not enforce RLIMIT_DATA for what malloc allocates.
    """
    _lower(resource.RLIMIT_NOFILE, OPEN_FILES)
    _lower(resource.RLIMIT_DATA, memory_mb * 1024 * 1024)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (CORE_BYTES, CORE_BYTES))


def limit_build(memory_mb: int) -> None:
    """Limits a build as a worker, and the files that it writes; servers get the processor first."""
    limit_process(memory_mb)
    _lower(resource.RLIMIT_FSIZE, BUILD_FILE_BYTES)
    with contextlib.suppress(OSError):
        os.nice(BUILD_NICENESS)


def open_files() -> int:
    """Returns how many files this process may have open."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return OPEN_FILES if soft == resource.RLIM_INFINITY else soft


def limit_processes() -> None:
    """Limits the processes and threads of this user from now on, except root's (setrlimit(2))."""
    _lower(resource.RLIMIT_NPROC, PROCESSES)


def _lower(limit: int, wanted: int) -> None:
    _soft, hard = resource.getrlimit(limit)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    # Some systems do not allow every limit to be set.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(limit, (allowed, hard))
