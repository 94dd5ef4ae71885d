"""Writes the audit log of a process without a platform to its standard output, where its host keeps it.

Each line is bound to the one before it of the same process, as platform_cli.audit.chain has it, so that what was
changed or left out shows. A cut at the end does not: nobody else knows how many lines there are.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ..telemetry import encode, scrubbed, write_line


class AuditChain:
    """Is the chain of this process, whose random `instance` is in each of its lines."""

    def __init__(self, project: str | None, release: str | None) -> None:
        self._origin = {"project": project, "release": release}
        # With the first line, since instances may come from one snapshot.
        self._instance = ""
        self._seq = 0
        self._hash = "0" * 64

    def write(self, record: str) -> None:
        """Writes the line of a record of guard.audit."""
        self._instance = self._instance or os.urandom(8).hex()
        told: dict[str, Any] = json.loads(record)
        said = told["audit"]
        reason = {"reason": said["reason"]} if "reason" in said else {}
        fields = {
            "seq": self._seq + 1,
            "timestamp": _timestamp(told["time"]),
            **{name: said[name] for name in ("client_id", "tool_name", "arguments", "result", "scopes_used")},
            **{name: said[name] for name in ("user_id", "ip_address", "method")},
            **self._origin,
            **{name: said[name] for name in ("request", "ms")},
            **reason,
            "instance": self._instance,
            "prev": self._hash,
        }
        # Before the hash, since nobody can remove a secret after it.
        text = scrubbed(encode(fields)).encode("utf-8", "replace")
        self._seq += 1
        self._hash = hashlib.sha256(text).hexdigest()
        write_line(text[:-1] + f',"hash":"{self._hash}"}}'.encode())


def _timestamp(seconds: float) -> str:
    """Returns a time in UTC, to the millisecond (RFC 3339)."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def settings_of(manifest: Mapping[str, Any], *, is_open: bool) -> Mapping[str, Any] | None:
    """Returns what the audit log of a process without a platform keeps, None without one: where everyone may call and
    nobody asked for it.
    """
    settings: Mapping[str, Any] | None = manifest.get("audit")
    return settings or (None if is_open else {"arguments": "redacted", "redact": []})
