"""One key for the requestState of every worker of a project.

A server of protocol 2026-07-28 that needs more input gives the client a sealed `requestState`; the client sends it
back with its answers. mcp 2.x seals with a key of the process unless it is told one, so that another worker refuses
the retry with -32602.
"""

from __future__ import annotations

from typing import Any


def seal_request_state(lowlevel: Any, key: bytes | None, audience: str | None = None) -> None:
    """Replaces the per-process boundary in the server's middleware by one with the project's key."""
    if key is None:
        return
    from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity

    for index, middleware in enumerate(lowlevel.middleware):
        if isinstance(middleware, RequestStateBoundary):
            security = RequestStateSecurity(keys=[key])
            lowlevel.middleware[index] = RequestStateBoundary(security, default_audience=audience or lowlevel.name)
