"""Ends what a build has left running: no namespace bounds processes on Lambda, and one that goes on could change what
the next project's build makes.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from homeport_runtime.hosts import linux

# The seconds within which everything has to have ended.
LIMIT_S = 10.0
# The seconds that killed processes get to end before they are looked for again.
PAUSE_S = 0.005


def keep_orphans() -> None:
    """Makes this process the parent of all descendants whose own parent ends, so that none can leave its tree."""
    if sys.platform == "linux":
        linux.adopt_orphans()


def end_descendants() -> None:
    """Kills all descendants of this process.

    Raises SystemExit, which ends the sandbox with all that is in it, if they start others faster than they end.
    """
    deadline = time.monotonic() + LIMIT_S
    while found := list(_descendants()):
        if time.monotonic() > deadline:
            raise SystemExit("what an earlier build has left running does not end")
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in found:
            # A child of a child becomes ours when its parent has ended.
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        time.sleep(PAUSE_S)


def _descendants() -> Iterator[int]:
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        # It may have ended meanwhile.
        with suppress(OSError):
            # proc_pid_stat(5): the name in brackets may contain anything.
            parent = int(stat.read_bytes().rpartition(b")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    waiting = list(children.get(os.getpid(), ()))
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += children.get(pid, ())
