"""Records the calls that a worker's end cut off, which the worker keeps in a shared file while it answers them.

The server's code may write anything into that file (homeport_runtime.guard.open_calls).
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from homeport_runtime.guard.open_calls import SLOT_BYTES, SLOTS
from homeport_runtime.telemetry.error_records import CRASH

from ..audit.entry import read_audited, read_entry
from ..records import MAX_TIME, is_number, read_record
from ..telemetry.operation import CALL, read_operation
from .logbook import RECORD

EMPTY = bytes(SLOTS * SLOT_BYTES)


class OpenCalls:
    """Is the file of open calls, made before the worker starts, and at `path` until `hide`.

    It is read and not mapped, since the worker may truncate it.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor

    @classmethod
    def make(cls, path: Path, user: int | None = None) -> OpenCalls:
        """Creates the file, for a worker that is `user`, if not the platform's own.

        Raises OSError if it cannot be written.
        """
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        made = cls(path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            if user is not None:
                # Its process is not that user yet when it opens the file; the folder is closed to all others.
                os.fchmod(made.descriptor, 0o666)
            if os.write(made.descriptor, EMPTY) < len(EMPTY):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            made.hide()
            made.close()
            raise
        return made

    def hide(self) -> None:
        """Removes the file's name, because the worker has opened it or never will."""
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        os.close(self.descriptor)

    def left(self, reason: str) -> Iterator[bytes]:
        """Yields a record, as a line of output, for each open call; `reason` says how the worker ended."""
        now = time.time()
        for slot in range(SLOTS):
            said = os.pread(self.descriptor, SLOT_BYTES, slot * SLOT_BYTES).partition(b"\0")[0]
            if not said:
                continue
            said, *others = said.split(RECORD)
            if (entry := read_entry(said)) is not None:
                yield _audit(json.loads(said)["audit"], entry.time, now, reason)
                continue
            if (operation := _operation_in(said)) is not None:
                operation |= {"status": "error", "kind": "crash", "ms": 0}
                began, request = json.loads(said).get("time"), operation.get("request")
                yield RECORD + json.dumps({"operation": operation, "time": now}, separators=(",", ":")).encode() + b"\n"
                yield _crash(operation.get("method"), operation.get("name"), request, reason)
            elif (record := read_record(said)) is not None and "call" in record:
                call, began, request = record["call"], record["time"], record.get("request")
                call |= {"status": "error", "kind": "crash", "ms": round(max(now - began, 0.0) * 1000, 2)}
                message = f"tools/call {call['tool']}: error, its worker ended ({reason})"
                record |= {"time": round(now, 3), "message": message}
                yield RECORD + json.dumps(record).encode() + b"\n"
                yield _crash(CALL, call["tool"], request, reason)
            else:
                continue
            if len(others) == 2 and read_audited(*others) is not None:
                who, arguments = map(json.loads, others)
                yield _audit(who | {"arguments": arguments, "request": request}, began, now, reason)


def _audit(said: dict[str, Any], began: object, now: float, reason: str) -> bytes:
    """Returns a record for the audit log of a call that was cut off."""
    since = began if is_number(began, MAX_TIME) else now
    said |= {"result": "crash", "ms": max(now - since, 0.0) * 1000, "reason": reason}
    return RECORD + json.dumps({"audit": said, "time": now}, separators=(",", ":")).encode() + b"\n"


def _crash(method: object, name: object, request: object, reason: str) -> bytes:
    """Returns a record of the error that an operation is which was cut off (telemetry.error_event)."""
    message = f"its worker ended ({reason})"
    error = {"type": CRASH, "message": message, "method": method, "name": name, "request": request, "frames": []}
    return RECORD + json.dumps({"error": error}, separators=(",", ":")).encode() + b"\n"


def _operation_in(said: bytes) -> dict[str, Any] | None:
    """Returns the members of an operation's record, None if it is none."""
    return json.loads(said)["operation"] if read_operation(said) is not None else None


def keep_open_calls(path: Path, user: int | None = None) -> OpenCalls | None:
    """Creates the file of open calls, and returns None if it cannot be written, in which case the worker serves without
    it.
    """
    try:
        return OpenCalls.make(path, user)
    except OSError:
        return None
