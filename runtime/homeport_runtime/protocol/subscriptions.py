"""Refuses subscriptions (subscriptions/listen, protocol 2026-07-28) where no client may hold a connection open.

server/discover then announces none: notifications of changes are only sent on these streams (SEP-2575), as in mcp 2.3
(`Server.get_capabilities`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..asgi import ASGIApp, Message, Receive, Scope, Send, send_json
from .jsonrpc import METHOD_NOT_FOUND, RPC, error
from .messages import MESSAGE
from .modern_answer import read_response

LISTEN, DISCOVER = "subscriptions/listen", "server/discover"
_OFFERS = ("tools", "prompts", "resources")
_PROMISES = ("listChanged", "subscribe")
# The headers that a rewritten answer sets itself.
_OF_BODY = (b"content-type", b"content-length")


class NoSubscriptions:
    """Is ASGI middleware at /mcp that refuses subscriptions."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = scope.get(MESSAGE) or {}
        if call.get("method") == LISTEN:
            await send_json(send, 404, error(call.get("id"), METHOD_NOT_FOUND, "Method not found", LISTEN))
        elif call.get("method") == DISCOVER:
            await self._discover(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _discover(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts: list[Message] = []

        async def keep(part: Message) -> None:
            parts.append(part)

        await self._app(scope, receive, keep)
        response = read_response(parts)
        result = response.get("result") if response is not None else None
        if response is not None and isinstance(result, dict) and isinstance(result.get("capabilities"), dict):
            offered = without_subscriptions(result["capabilities"])
            others = [field for field in parts[0]["headers"] if field[0].lower() not in _OF_BODY]
            await send_json(send, 200, {**response, "result": {**result, "capabilities": offered}}, others)
            return
        for part in parts:
            await send(part)


def without_subscriptions(capabilities: Mapping[str, Any]) -> RPC:
    """Returns the capabilities without notifications of changes."""
    return {
        name: {key: value for key, value in options.items() if key not in _PROMISES}
        if name in _OFFERS and isinstance(options, dict)
        else options
        for name, options in capabilities.items()
    }
