"""Reads the limits of a container from inside: an engine may ignore some that it was asked for, and not say so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

# The files of control groups of version 2, and of version 1
# (https://docs.kernel.org/admin-guide/cgroup-v2.html, .../cgroup-v1/).
MEMORY = ("memory.max", "memory/memory.limit_in_bytes")
PIDS = ("pids.max", "pids/pids.max")
UNLIMITED = -1


def read_limits(groups: Path) -> dict[str, int | None]:
    """Returns the bytes of memory and the number of processes that the container whose control group is at `groups` may
    have, -1 for no limit, None for what it cannot know.
    """
    return {"memory": _limit(groups, MEMORY), "pids": _limit(groups, PIDS)}


def _limit(groups: Path, files: Iterable[str]) -> int | None:
    for file in files:
        with contextlib.suppress(OSError, ValueError):
            text = (groups / file).read_text().strip()
            return UNLIMITED if text == "max" else int(text)
    return None
