"""Measures what a platform holds on to: processes, descriptors, memory, and what lies on disk."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.probing import control_plane, processes
from tests.support import Platform

MB = 1024 * 1024
# The folders of a project in which what is old goes by itself.
BOUNDED = ("logs", "sessions")


@dataclass(frozen=True, slots=True)
class Measure:
    """Holds one measurement: `memory_mb` is what the processes have for themselves and their share of the rest (PSS),
    `home_files` and `home_mb` are without logs and kept sessions, which have bounds of their own; `temporary` counts
    the entries in the folder for temporary files.
    """

    processes: int
    descriptors: int
    control_plane_descriptors: int
    memory_mb: float
    control_plane_mb: float
    home_files: int
    home_mb: float
    temporary: int


def measured(platform: Platform, temporary: Path) -> Measure:
    """Sees other processes' descriptors as root on Linux only."""
    main = control_plane(platform)
    running = {main, *processes(platform)}
    files = list(_files(platform.home))
    return Measure(
        processes=len(running),
        descriptors=sum(map(_descriptors, running)),
        control_plane_descriptors=_descriptors(main),
        memory_mb=sum(map(_pss_mb, running)),
        control_plane_mb=_pss_mb(main),
        home_files=len(files),
        home_mb=sum(files) / MB,
        temporary=len(list(temporary.iterdir())),
    )


def _descriptors(pid: int) -> int:
    with suppress(OSError):
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return 0


def _pss_mb(pid: int) -> float:
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return 0.0


def _files(home: Path) -> Iterable[int]:
    """Yields the bytes of each file on disk."""
    for folder, _, names in os.walk(home):
        if Path(folder).name in BOUNDED:
            continue
        for name in names:
            with suppress(OSError):
                yield (Path(folder) / name).lstat().st_blocks * 512
