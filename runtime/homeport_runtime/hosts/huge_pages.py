"""The memory of a zygote in huge pages: a fork copies the page tables, which have 512 times fewer entries then."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

HUGE = 2 << 20


def use_huge_pages() -> None:
    """Of what this process has by now. Kernels before 6.1 and other systems do nothing (madvise(2), MADV_COLLAPSE)."""
    if sys.platform != "linux":
        return
    from .linux import collapse

    for start, end in _own_memory():
        first, last = -(-start // HUGE) * HUGE, end // HUGE * HUGE
        if first < last and not collapse(first, last - first):
            return


def _own_memory() -> Iterator[tuple[int, int]]:
    """What is mapped to no file, by address (proc_pid_maps(5))."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        addresses, rights, _offset, _device, _inode, *file = line.split(maxsplit=5)
        if rights == "rw-p" and file in ([], ["[heap]"]):
            start, end = (int(address, 16) for address in addresses.split("-"))
            yield start, end
