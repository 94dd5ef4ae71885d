"""Records the calls that the end of an image's worker cut off, which the worker keeps in shared memory while it answers
them (guard.open_calls).

On a platform the supervisor does this. The server's code may write anything into that memory.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from ...guard.open_calls import SLOT_BYTES, SLOTS
from ...telemetry import emit
from ...telemetry.error_records import CALL, CRASH, MAX_NAME, write_crash


class CutOffCalls:
    """Is the memory in which a worker that is forked from this process keeps its open calls."""

    def __init__(self) -> None:
        """Raises OSError where there is no such memory, or no way to it."""
        self._descriptor = os.memfd_create("homeport-calls")
        os.ftruncate(self._descriptor, SLOTS * SLOT_BYTES)
        # A worker that could not open it would not serve.
        os.close(os.open(self.path, os.O_RDWR))

    @property
    def path(self) -> str:
        """Returns where a forked process opens it."""
        return f"/proc/self/fd/{self._descriptor}"

    def write(self, reason: str, clean: Callable[[str], str]) -> None:
        """Writes the record of each call that is still open, and of the error that it is; `reason` says how the worker
        ended, and `clean` removes secrets.
        """
        for call, request, began in self._open():
            tool, client = clean(call["tool"]), clean(call["client"])
            ms = round(max(time.time() - began, 0.0) * 1000, 2)
            said = {"tool": tool, "client": client, "start": call["start"], "status": "error", "kind": CRASH, "ms": ms}
            message = f"tools/call {tool}: error, the server's process has ended ({reason})"
            emit("warning", message, request=request, call=said)
            write_crash(f"the server's process has ended ({reason})", CALL, tool, request)

    def _open(self) -> Iterator[tuple[dict[str, str], str, float]]:
        """Yields the texts of each call, the id of its request, and when that came."""
        for slot in range(SLOTS):
            said = os.pread(self._descriptor, SLOT_BYTES, slot * SLOT_BYTES).partition(b"\0")[0]
            # Other operations have records of other kinds.
            if not said.startswith(b'{"time":'):
                continue
            try:
                record: dict[str, Any] = json.loads(said)
                call = {name: str(record["call"][name])[:MAX_NAME] for name in ("tool", "client", "start")}
                request, began = str(record["request"])[:MAX_NAME], float(record["time"])
            except (ValueError, LookupError, TypeError, RecursionError):
                continue
            if math.isfinite(began):
                yield call, request, began
