"""Divides what a project's workers write: into the audit log, the metrics, and the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..audit.book import AuditBook
from ..audit.entry import Entry, read_entry
from ..telemetry.error_event import ErrorEvent, read_error
from ..telemetry.operation import Operation, called, read_operation
from .logbook import RECORD, LogBook

# How homeport_runtime.guard.audit, guard.operations and telemetry.error_records begin a record.
AUDIT = RECORD + b'{"audit":{'
OPERATION = RECORD + b'{"operation":{'
ERROR = RECORD + b'{"error":{'
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
        if line.startswith(AUDIT) and (entry := read_entry(line[len(RECORD) :])) is not None:
            if not self._entries:
                asyncio.get_running_loop().call_soon(self._write_entries)
            self._entries.append((entry, f"v{release}"))
            if len(self._entries) >= MAX_TOGETHER:
                # Now, so that whoever paces the reading of a worker's output counts the work.
                self._write_entries()
        elif line.startswith(OPERATION) and (operation := read_operation(line[len(RECORD) :])) is not None:
            self.on_operation(release, operation)
        elif line.startswith(ERROR) and (error := read_error(line[len(RECORD) :])) is not None:
            self.on_error(release, error)
        else:
            record = self.log.write_line(line, level=level, release=release, worker=worker)
            # A call is in the log, too.
            if record is not None and "call" in record and (call := called(record)) is not None:
                self.on_operation(release, call)

    def _write_entries(self) -> None:
        entries, self._entries = self._entries, []
        if entries:
            self.audit.write(entries)

    def close(self) -> None:
        self._write_entries()
        self.log.close()
        self.audit.close()
