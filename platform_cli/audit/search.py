"""Selects lines of an audit log."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import files
from .chain import time_of

if TYPE_CHECKING:
    from ..api.audit_entry import AuditEntry


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Selects lines since a time (seconds since 1970), of a client, a user, a tool and with a result.

    `client`, `user` and `tool` are patterns, in which `*` stands for any characters; None selects all.
    """

    since: float = 0.0
    client: str | None = None
    user: str | None = None
    tool: str | None = None
    result: str | None = None

    def wants(self, entry: AuditEntry) -> bool:
        return (
            _matches(self.client, entry["client_id"])
            and _matches(self.user, entry["user_id"])
            and _matches(self.tool, entry["tool_name"])
            and self.result in (None, entry["result"])
        )


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


def _matches(pattern: str | None, text: str | None) -> bool:
    return pattern is None or fnmatch.fnmatchcase(text or "", pattern)
