"""Selects lines of an audit log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from . import files
from .chain import time_of

if TYPE_CHECKING:
    from ..api.audit_entry import AuditEntry
    from ..api.audit_query import AuditQuery


def search(folder: Path, query: AuditQuery) -> Iterator[bytes]:
    """Yields the lines that the query selects, the oldest first, as they are in the files.

    What is no JSON any more is left out: `verify` says that somebody has changed it.
    """
    for line in files.lines(folder):
        if time_of(line) >= query.since and (entry := _entry(line)) is not None and query.wants(entry):
            yield line + b"\n"


def _entry(line: bytes) -> AuditEntry | None:
    try:
        entry: AuditEntry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry
