"""The calls that are being answered, in memory that outlives the process: whoever started it makes a record of each
call that its end cut off (platform_cli.supervisor.open_calls). Writing there costs no system call.
"""

from __future__ import annotations

import mmap
from pathlib import Path

# So many calls at once are remembered. Each has a slot for its record, which is JSON, and a zero byte behind it; a slot
# that begins with a zero byte is free.
SLOTS = 64
SLOT_BYTES = 2048


class OpenCalls:
    """`path` is a file of SLOTS * SLOT_BYTES bytes, none of them a hole: on a full disk, touching one is a signal. It
    is needed until this is made.
    """

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), SLOTS * SLOT_BYTES)
        self._free = list(range(SLOTS))

    def begin(self, record: bytes) -> int | None:
        """The slot that has the record now; None where there is no room."""
        if not self._free or len(record) >= SLOT_BYTES:
            return None
        slot = self._free.pop()
        start = slot * SLOT_BYTES
        self._memory[start : start + len(record) + 1] = record + b"\0"
        return slot

    def end(self, slot: int) -> None:
        self._memory[slot * SLOT_BYTES] = 0
        self._free.append(slot)
