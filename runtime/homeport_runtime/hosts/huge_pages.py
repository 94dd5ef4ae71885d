"""Moves a zygote's memory into huge pages, so that a fork copies page tables with 512 times fewer entries."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

HUGE = 2 << 20


def use_huge_pages() -> None:
    """Moves the memory that this process has by now; kernels before 6.1 and other systems do nothing.

    See madvise(2), MADV_COLLAPSE.
    """
    if sys.platform != "linux":
        return
    from .linux import collapse

    for start, end in _own_memory():
        first, last = -(-start // HUGE) * HUGE, end // HUGE * HUGE
        if first < last and not collapse(first, last - first):
            return


def _own_memory() -> Iterator[tuple[int, int]]:
    """Yields the ranges of memory that no file is mapped to (proc_pid_maps(5))."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        addresses, rights, _offset, _device, _inode, *file = line.split(maxsplit=5)
        if rights == "rw-p" and file in ([], ["[heap]"]):
            start, end = (int(address, 16) for address in addresses.split("-"))
            yield start, end
