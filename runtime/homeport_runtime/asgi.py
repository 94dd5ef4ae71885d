"""Defines the ASGI types of this package (https://asgi.readthedocs.io/en/latest/specs/main.html),
and simple answers.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

Headers = list[tuple[bytes, bytes]]


def header(scope: Scope, name: bytes) -> str | None:
    """Returns the first header called `name` (lower case), None without one."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value).decode("latin-1")
    return None


def first_headers(scope: Scope) -> dict[bytes, bytes]:
    """Returns the first header of each name (lower case), for who needs several."""
    return dict(reversed(scope["headers"]))


async def send_json(send: Send, status: int, body: object, headers: Headers | None = None) -> None:
    payload = json.dumps(body, separators=(",", ":")).encode()
    fields = [(b"content-type", b"application/json"), (b"content-length", str(len(payload)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": fields + (headers or [])})
    await send({"type": "http.response.body", "body": payload})


async def send_error(send: Send, status: int, code: int, message: str, headers: Headers | None = None) -> None:
    """Sends an HTTP error whose body is a JSON-RPC error without an id, as the SDKs do before a message is read."""
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}
    await send_json(send, status, error, headers)


def at(app: ASGIApp, path: str) -> ASGIApp:
    """Returns an app that calls `app` with `path`, whatever the request's path is."""

    async def moved(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != path:
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await app(scope, receive, send)

    return moved
