"""Defines what may be asked of a project's single operations (GET /v1/projects/{name}/calls)."""

from __future__ import annotations

from dataclasses import dataclass

# What an operation came to if it did not come to `ok`.
FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CallQuery:
    """Selects operations from `since` to `until`, seconds since 1970, that took at least `slower_ms` milliseconds.

    `tool` is the name of a tool or a prompt, `release` is `v2`, `kind` may be FAILED; of each None selects all.
    """

    since: float = 0.0
    until: float | None = None
    tool: str | None = None
    method: str | None = None
    client: str | None = None
    release: str | None = None
    kind: str | None = None
    request: str | None = None
    slower_ms: float | None = None
