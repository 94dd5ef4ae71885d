"""Gives a sandbox the share of a processor that Lambda gives it: a control group of the kernel, version 1 or 2."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path

# Memory that comes with one whole processor, in MB
# (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html).
WHOLE_MB = 1769
# The processors that a function has while it starts, whatever its memory: field reports say so, AWS promises nothing.
INIT_CPUS = 2.0
PERIOD_US = 20_000
ROOT = Path("/sys/fs/cgroup")


class ProcessorShare:
    """Is the share of the process that writes its id into `members`, and of those that it starts."""

    def __init__(self, memory_mb: int) -> None:
        self._cpus = memory_mb / WHOLE_MB
        self._is_version_1 = (ROOT / "cpu" / "cgroup.procs").exists()
        self._folder = (ROOT / "cpu" if self._is_version_1 else ROOT) / f"homeport-{uuid.uuid4().hex}"
        self._folder.mkdir()
        self._give(INIT_CPUS)

    @staticmethod
    def is_possible() -> bool:
        """Tells whether this machine lets us make such groups."""
        if os.geteuid() != 0:
            return False
        controllers = ROOT / "cgroup.subtree_control"
        return (ROOT / "cpu" / "cpu.cfs_quota_us").exists() or (
            controllers.exists() and "cpu" in controllers.read_text().split()
        )

    @property
    def members(self) -> Path:
        return self._folder / "cgroup.procs"

    def started(self) -> None:
        """Gives the process, once it has started, the share that belongs to its memory."""
        self._give(self._cpus)

    def _give(self, cpus: float) -> None:
        quota = int(cpus * PERIOD_US)
        if self._is_version_1:
            (self._folder / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (self._folder / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (self._folder / "cpu.max").write_text(f"{quota} {PERIOD_US}")

    def remove(self) -> None:
        """Removes the group, once its processes have ended."""
        with suppress(OSError):
            self._folder.rmdir()
