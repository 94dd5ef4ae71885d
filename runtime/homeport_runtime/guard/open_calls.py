"""The calls that are being answered, in a file that outlives the process: whoever started it makes a record of each
call that its end cut off (platform_cli.supervisor.open_calls).
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

# So many calls at once are remembered. Each has a slot for its record, which is JSON, and a zero byte behind it; a slot
# that begins with a zero byte is free.
SLOTS = 64
SLOT_BYTES = 4096


class OpenCalls:
    """`path` is needed until this is made. Written, not mapped: on a full disk that is an error, and no signal."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        self._free = list(range(SLOTS))

    def begin(self, record: bytes) -> int | None:
        """The slot that has the record now; None where there is no room."""
        if not self._free or len(record) >= SLOT_BYTES:
            return None
        slot = self._free.pop()
        self._write(slot, record + b"\0")
        return slot

    def end(self, slot: int) -> None:
        self._write(slot, b"\0")
        self._free.append(slot)

    def _write(self, slot: int, data: bytes) -> None:
        with contextlib.suppress(OSError):
            os.pwrite(self._descriptor, data, slot * SLOT_BYTES)
