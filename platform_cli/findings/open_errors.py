"""Finds out whether the release before left errors that nobody has resolved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .model import Finding

if TYPE_CHECKING:
    from ..api.status import DeployedStatus, Status


def find_open_errors(status: Status | DeployedStatus) -> Iterator[Finding]:
    """Yields the open errors of a project that has a new release, which may mend them."""
    count, project = status["open_errors"], status["project"]
    # The errors of a first release are its own.
    if count and status["release"] != "v1":
        them = "error of an earlier release is" if count == 1 else "errors of earlier releases are"
        yield Finding(
            "open-errors",
            f"{count} {them} open",
            f"homeport errors {project}; what this release mends: homeport errors {project} ID resolve",
        )
