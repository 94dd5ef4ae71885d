"""Divides what a project's workers write: what they say of calls goes into the audit log, all else into the log."""

from __future__ import annotations

from ..audit.book import AuditBook
from ..audit.entry import read_entry
from .logbook import RECORD, LogBook

# How homeport_runtime.guard.audit begins a record.
AUDIT = RECORD + b'{"audit":{'


class Journal:
    """Is a project's `log` and, beside it, its `audit` log."""

    def __init__(self, log: LogBook, audit: AuditBook) -> None:
        self.log = log
        self.audit = audit

    def write_line(self, line: bytes, *, level: str, release: int, worker: int) -> None:
        """Writes one line of a worker's output."""
        if line.startswith(AUDIT) and (entry := read_entry(line[len(RECORD) :])) is not None:
            self.audit.write(entry, f"v{release}")
        else:
            self.log.write_line(line, level=level, release=release, worker=worker)

    def close(self) -> None:
        self.log.close()
        self.audit.close()
