"""Finds servers that other callers can reach than the configuration says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..addresses import is_loopback
from .model import Finding

if TYPE_CHECKING:
    from ..api.status import DeployedStatus, Status


def find_exposure(status: Status | DeployedStatus, contract: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Yields a sign-in that is required by default, and a reachable URL that neither homeport nor the server itself
    guards.
    """
    if status.get("closed_by_default"):
        yield Finding(
            "token",
            "callers sign in, or show the token, since the platform has a public name",
            'mode = "none" under [auth] in fastmcp.toml opens it to everyone',
        )
    if is_open_to_others(status) and not (contract or {}).get("guarded"):
        yield Finding(
            "open",
            f"{status['mcp_url']} is open to everyone who can reach it",
            'mode = "token" under [auth] in fastmcp.toml wants a token from callers'
            + (', "oauth" lets them sign in' if status["workers"] is not None else ""),
        )


def is_open_to_others(status: Status | DeployedStatus) -> bool:
    """Tells whether everyone may call who reaches a project, and others than this machine's processes do."""
    # Where nobody counts workers, the URL is not this machine's.
    reachable = status["workers"] is None or not is_loopback(urlsplit(status["url"]).hostname or "")
    return reachable and status["auth"] == "none"
