"""Finds a server that nothing confines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .model import Finding


def find_unconfined(status: Mapping[str, Any]) -> Iterator[Finding]:
    if status.get("confined") is False:
        yield Finding(
            "unconfined",
            "nothing keeps this server from the platform's secrets and from other projects",
            "`homeport doctor` says why, and what it can reach",
        )
