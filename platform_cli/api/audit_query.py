"""Defines what may be asked of a project's audit log (GET /v1/projects/{name}/audit)."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .audit_entry import AuditEntry


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


def _matches(pattern: str | None, text: str | None) -> bool:
    return pattern is None or fnmatch.fnmatchcase(text or "", pattern)
