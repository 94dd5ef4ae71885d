"""Divides what a project's workers write: into the audit log, the metrics, and the log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from ..audit.book import AuditBook
from ..audit.entry import Audited, Entry, read_audited, read_entry
from ..telemetry.call_line import read_call_line
from ..telemetry.error_event import ErrorEvent, read_error
from ..telemetry.operation import ABANDONED, OK, Operation, called, read_operation
from .logbook import RECORD, LogBook

# How homeport_runtime.guard.audit, guard.operations and telemetry.error_records begin a record.
AUDIT = b'{"audit":{'
OPERATION = b'{"operation":{'
ERROR = b'{"error":{'
# What the audit log has of an operation, by the kind of its end; of other kinds it is an error.
RESULTS = {OK: "success", ABANDONED: "abandoned", "timeout": "timeout", "crash": "crash"}
# The lines of the audit log that are written together at most.
MAX_TOGETHER = 64


class Journal:
    """Is a project's `log` and, beside it, its `audit` log; `on_operation` and `on_error` get each
    operation and each error, and its release.

    The lines of the audit log that come together are written together.
    """

    def __init__(self, log: LogBook, audit: AuditBook) -> None:
        self.log = log
        self.audit = audit
        self._entries: list[tuple[Entry, str]] = []
        self.on_operation: Callable[[int, Operation], None] = lambda _release, _operation: None
        self.on_error: Callable[[int, ErrorEvent], None] = lambda _release, _error: None

    def write_line(self, line: bytes, *, level: str, release: int, worker: int) -> None:
        """Writes one line of a worker's output."""
        if not (line.startswith(RECORD) and self._write_record(line, level, release, worker)):
            self.log.write_line(line, level=level, release=release, worker=worker)

    def _write_record(self, line: bytes, level: str, release: int, worker: int) -> bool:
        """Writes a line that begins as a record, and returns whether it is one that the runtime writes."""
        record, *others = line[len(RECORD) :].rstrip(b"\r\n").split(RECORD)
        audited = read_audited(*others) if len(others) == 2 else None
        if others and audited is None:
            return False
        if (call := read_call_line(record)) is not None:
            self.log.write_record(record, release=release, worker=worker)
            self._count(release, call.operation, call.time, audited)
        elif record.startswith(AUDIT) and (entry := read_entry(record)) is not None:
            self._add(entry, release)
        elif record.startswith(OPERATION) and (told := read_operation(record)) is not None:
            self._count(release, told.operation, time.time() if told.time is None else told.time, audited)
        elif record.startswith(ERROR) and (error := read_error(record)) is not None:
            self.on_error(release, error)
        else:
            said = self.log.write_line(RECORD + record, level=level, release=release, worker=worker)
            # A call is in the log, too.
            if said is not None and "call" in said and (operation := called(said)) is not None:
                self._count(release, operation, said["time"], audited)
        return True

    def _count(self, release: int, operation: Operation, at: float, audited: Audited | None) -> None:
        self.on_operation(release, operation)
        if audited is not None:
            result = RESULTS.get(operation.kind, "error")
            self._add(audited.entry(at, result, operation.request, operation.ms), release)

    def _add(self, entry: Entry, release: int) -> None:
        if not self._entries:
            asyncio.get_running_loop().call_soon(self._write_entries)
        self._entries.append((entry, f"v{release}"))
        if len(self._entries) >= MAX_TOGETHER:
            # Now, so that whoever paces the reading of a worker's output counts the work.
            self._write_entries()

    def _write_entries(self) -> None:
        entries, self._entries = self._entries, []
        if entries:
            self.audit.write(entries)

    def close(self) -> None:
        self._write_entries()
        self.log.close()
        self.audit.close()
