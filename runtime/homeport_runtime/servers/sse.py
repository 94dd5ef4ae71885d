"""Serves legacy HTTP+SSE for a low-level server: GET /sse is the session, POST /messages/ has the client's messages."""

from __future__ import annotations

from typing import Any

from ..asgi import ASGIApp, Receive, Scope, Send, send_error

MESSAGES_PATH = "/messages/"


def sse_app(server: Any) -> ASGIApp:
    from mcp.server.sse import SseServerTransport

    transport = SseServerTransport(MESSAGES_PATH)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/sse":
            if scope["method"] != "GET":
                await send_error(send, 405, -32600, "Method Not Allowed", [(b"allow", b"GET")])
                return
            async with transport.connect_sse(scope, receive, send) as (read, write):
                await server.run(read, write, server.create_initialization_options())
        else:
            await transport.handle_post_message(scope, receive, send)

    return app
