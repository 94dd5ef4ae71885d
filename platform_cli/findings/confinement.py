"""Finds a server that nothing confines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .model import Finding

if TYPE_CHECKING:
    from ..api.status import Status


def find_unconfined(status: Status) -> Iterator[Finding]:
    if status.get("confined") is False:
        yield Finding(
            "unconfined",
            "nothing keeps this server from the platform's secrets and from other projects",
            "`homeport doctor` says why, and what it can reach",
        )
