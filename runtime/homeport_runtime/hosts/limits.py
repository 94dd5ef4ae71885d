"""What one worker may take of the machine, so that a server that leaks ends itself and not its neighbours."""

from __future__ import annotations

import contextlib
import resource

# Connections, files and pipes; the usual default of 1,024 is soon reached by a server with many clients.
OPEN_FILES = 8192
# Processes and threads together: browsers have some hundreds.
PROCESSES = 2048
# A crash leaves no memory, which has secrets in it, in a file. One byte, as Linux hands a dump of zero bytes to the
# program in core_pattern all the same, and one of one byte to nobody (core(5); fs/coredump.c).
CORE_BYTES = 1


def limit_process(memory_mb: int) -> None:
    """Bounds open files, core dumps and the private memory (RLIMIT_DATA) of this process and, each, of those it starts.

    Beyond it an allocation fails with MemoryError. macOS does not enforce RLIMIT_DATA for what malloc takes.
    """
    _lower(resource.RLIMIT_NOFILE, OPEN_FILES)
    _lower(resource.RLIMIT_DATA, memory_mb * 1024 * 1024)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (CORE_BYTES, CORE_BYTES))


def open_files() -> int:
    """How many this process may have open."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return OPEN_FILES if soft == resource.RLIM_INFINITY else soft


def limit_processes() -> None:
    """Bounds how many processes and threads this user has, from here on. Root is not bound by it (setrlimit(2))."""
    _lower(resource.RLIMIT_NPROC, PROCESSES)


def _lower(limit: int, wanted: int) -> None:
    _soft, hard = resource.getrlimit(limit)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    # Not every system lets every limit be set.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(limit, (allowed, hard))
