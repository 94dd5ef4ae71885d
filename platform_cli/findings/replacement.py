"""Finds out how the release before was replaced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .model import Finding

if TYPE_CHECKING:
    from ..api.status import DeployedStatus, Status


def find_replacement(status: Status | DeployedStatus) -> Iterator[Finding]:
    """Yields a server of which two cannot run at the same time, which the platform learned from a start that failed."""
    if status.get("stop_first_learned"):
        yield Finding(
            "stop-first",
            "the old release had to stop before this one could start: it holds a lock or a port",
            'replace = "stop-first" under [deployment] in fastmcp.toml does so at once',
        )
