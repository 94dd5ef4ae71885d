"""Keeps the open calls in memory that outlives the process, so that those it could not answer are recorded
nevertheless.

platform_cli.supervisor.open_calls writes these records. Writing to the memory costs no system call.
"""

from __future__ import annotations

import mmap
from pathlib import Path

# The number of records that are kept at once. Each has a slot with its text, followed by a zero byte; a slot that
# begins with a zero byte is free.
SLOTS = 256
SLOT_BYTES = 2048


class OpenCalls:
    """Maps the file at `path` of SLOTS * SLOT_BYTES bytes, without holes, since touching one on a full disk raises
    SIGBUS.

    The file is only needed until it is mapped.
    """

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), SLOTS * SLOT_BYTES)
        self._free = list(range(SLOTS))

    def begin(self, record: bytes) -> int | None:
        """Writes the record into a free slot and returns it; None if there is no room."""
        if not self._free or len(record) >= SLOT_BYTES:
            return None
        slot = self._free.pop()
        start = slot * SLOT_BYTES
        self._memory[start : start + len(record) + 1] = record + b"\0"
        return slot

    def end(self, slot: int) -> None:
        self._memory[slot * SLOT_BYTES] = 0
        self._free.append(slot)
