"""One key for the requestState of every worker of a project.

A server of protocol 2026-07-28 that needs more input gives the client a sealed `requestState`; the client sends it
back with its answers. mcp 2.x seals with a key of the process unless it is told one, so that another worker refuses
the retry with -32602.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Gives the key (32 bytes) when something is sealed or opened: few servers ever ask for it.
StateKey = Callable[[], bytes]


def seal_request_state(lowlevel: Any, key: StateKey | None, audience: str | None = None) -> None:
    """Replaces the per-process boundary in the server's middleware by one with the project's key."""
    if key is None:
        return
    from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity

    for index, middleware in enumerate(lowlevel.middleware):
        if isinstance(middleware, RequestStateBoundary):
            security = RequestStateSecurity(codec=_SharedCodec(key))
            lowlevel.middleware[index] = RequestStateBoundary(security, default_audience=audience or lowlevel.name)


class _SharedCodec:
    """The SDK's own codec, under the key as it is at that moment."""

    def __init__(self, key: StateKey) -> None:
        self._key = key

    def seal(self, payload: bytes) -> str:
        sealed: str = self._codec().seal(payload)
        return sealed

    def unseal(self, token: str) -> bytes:
        """Raises mcp's InvalidRequestState."""
        payload: bytes = self._codec().unseal(token)
        return payload

    def _codec(self) -> Any:
        from mcp.server.request_state import AESGCMRequestStateCodec

        return AESGCMRequestStateCodec([self._key()])
