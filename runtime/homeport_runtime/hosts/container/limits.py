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
    """Returns the bytes of memory, the number of processes and the thousandths of a processor that the container whose
    control group is at `groups` may have, -1 for no limit, None for what it cannot know.
    """
    return {"memory": _limit(groups, MEMORY), "pids": _limit(groups, PIDS), "cpu": _processor(groups)}


def _limit(groups: Path, files: Iterable[str]) -> int | None:
    for file in files:
        with contextlib.suppress(OSError, ValueError):
            return _number((groups / file).read_text())
    return None


def _processor(groups: Path) -> int | None:
    """Returns how much of each period, in thousandths, the container's processes may run."""
    with contextlib.suppress(OSError, ValueError):
        quota, period = (groups / "cpu.max").read_text().split()
        return _part(quota, period)
    with contextlib.suppress(OSError, ValueError):
        quota, period = ((groups / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return _part(quota, period)
    return None


def _part(quota: str, period: str) -> int:
    number = _number(quota)
    return UNLIMITED if number < 0 else number * 1000 // int(period)


def _number(text: str) -> int:
    return UNLIMITED if text.strip() == "max" else int(text)
