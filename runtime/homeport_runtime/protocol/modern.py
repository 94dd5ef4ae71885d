"""Serves protocol 2026-07-28 for a server that knows only the handshake revisions and is run without sessions.

Each request of the modern era becomes one request of the older era, and the answer is translated back event by event.
The checks, their order, codes and HTTP statuses are those of mcp 2.3 and of the specification (2026-07-28,
basic/transports/streamable-http, basic/versioning, server/discover).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from ..asgi import ASGIApp, Headers, Message, Receive, Scope, Send, header, send_json
from .jsonrpc import (
    HANDSHAKE_VERSIONS,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    RPC,
    accepted,
    encode,
    error,
    is_request_id,
    meta_of,
    read_json,
)
from .messages import MESSAGE, ClientGoneError
from .modern_answer import Answer, http_status, read_response, translate_response
from .modern_request import MODERN_VERSIONS, TRANSLATED, envelope_error, unsupported_version
from .subscriptions import without_subscriptions

_DROPPED_HEADERS = frozenset(
    (b"mcp-protocol-version", b"mcp-method", b"mcp-name", b"mcp-session-id", b"accept", b"content-length")
)
_MODERN_META = "io.modelcontextprotocol/"


class ModernTranslator:
    """Is ASGI middleware at /mcp that translates requests of the modern era.

    A request of a handshake revision is passed to `app` untouched. One of the modern era is translated for `stateless`,
    the same server without sessions, which this era does not have.
    """

    def __init__(self, app: ASGIApp, stateless: ASGIApp) -> None:
        self._app = app
        self._stateless = stateless
        # The server's InitializeResult, which names the server and the newest revision it speaks.
        self._server: RPC | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        version = header(scope, b"mcp-protocol-version") if scope["type"] == "http" else None
        if version is None or version in HANDSHAKE_VERSIONS:
            await self._app(scope, receive, send)
        elif scope["method"] != "POST":
            await _send_empty(send, 405, [(b"allow", b"POST")])
        elif not all(accepted(scope)[:2]):
            await _send_empty(send, 406)
        else:
            await self._post(scope, receive, send, version)

    async def _post(self, scope: Scope, receive: Receive, send: Send, version: str) -> None:
        try:
            message = await read_json(scope, receive)
        except ClientGoneError:
            return
        except ValueError:
            await _refuse(send, error(None, PARSE_ERROR, "Parse error"))
            return
        if not _is_call(message):
            text = "Body must be a single JSON-RPC request or notification object"
            await _refuse(send, error(None, INVALID_REQUEST, text))
        elif "id" not in message:
            # This era has no notifications from clients; those that are sent nevertheless are accepted and dropped.
            if version in MODERN_VERSIONS:
                await _send_empty(send, 202)
            else:
                await _refuse(send, unsupported_version(None, version))
        elif (refusal := envelope_error(scope, message)) is not None:
            await _refuse(send, refusal)
        elif message["method"] != "server/discover" and message["method"] not in TRANSLATED:
            await _refuse(send, error(message["id"], METHOD_NOT_FOUND, "Method not found", message["method"]))
        else:
            await self._translate(scope, receive, send, message)

    async def _translate(self, scope: Scope, receive: Receive, send: Send, request: RPC) -> None:
        if self._server is None or request["method"] == "server/discover":
            refusal = await self._initialize(scope)
            if refusal is not None:
                for part in refusal:
                    await send(part)
                return
        server = self._server or {}
        if request["method"] == "server/discover":
            result = {"jsonrpc": "2.0", "id": request["id"], "result": _discovered(server)}
            await send_json(send, 200, translate_response(result, True, server))
            return
        inner = _legacy_scope(scope, _legacy_request(request), server["protocolVersion"])
        answer = Answer(send, request, server)
        call = asyncio.ensure_future(self._stateless(inner, _replay(inner, receive), answer.send))
        answer.on_abort = call.cancel
        try:
            await call
        except asyncio.CancelledError:
            if not answer.aborted:
                call.cancel()
                raise
        await answer.finish()

    async def _initialize(self, scope: Scope) -> list[Message] | None:
        """Initializes the server; if it refuses, with a 401 for example, returns its answer, to be sent
        to the client.
        """
        params = {
            "protocolVersion": HANDSHAKE_VERSIONS[-1],
            "capabilities": {},
            "clientInfo": {"name": "homeport", "version": "1"},
        }
        request = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        inner = _legacy_scope(scope, request, None)
        parts: list[Message] = []

        async def keep(part: Message) -> None:
            parts.append(part)

        async def wait_for_ever() -> Message:
            await asyncio.Event().wait()
            raise AssertionError

        await self._stateless(inner, _replay(inner, wait_for_ever), keep)
        response = read_response(parts)
        result = response.get("result") if response is not None else None
        if isinstance(result, dict) and isinstance(result.get("protocolVersion"), str):
            self._server = result
            return None
        if response is not None:
            text = f"the server could not be initialized: {response.get('error', {}).get('message', '')}"
            parts.clear()
            parts += _json_parts(error(None, INTERNAL_ERROR, text))
        return parts


def _is_call(message: Any) -> bool:
    """Tells whether this is one well-formed request or notification."""
    return (
        isinstance(message, dict)
        and message.get("jsonrpc") == "2.0"
        and isinstance(message.get("method"), str)
        and isinstance(message.get("params", {}), dict)
        and ("id" not in message or is_request_id(message["id"]))
    )


def _discovered(server: RPC) -> RPC:
    """Returns the DiscoverResult for an InitializeResult, without what the older era lacks: subscriptions and tasks."""
    capabilities = without_subscriptions(server.get("capabilities", {}))
    capabilities.pop("tasks", None)
    result: RPC = {"supportedVersions": list(MODERN_VERSIONS), "capabilities": capabilities}
    if server.get("instructions") is not None:
        result["instructions"] = server["instructions"]
    return result


def _legacy_request(request: RPC) -> RPC:
    params = dict(request["params"])
    meta = {key: value for key, value in meta_of(request).items() if not key.startswith(_MODERN_META)}
    del params["_meta"]
    if meta:
        params["_meta"] = meta
    return {**request, "params": params}


def _legacy_scope(scope: Scope, message: RPC, version: str | None) -> Scope:
    body = encode(message)
    headers: Headers = [(name, value) for name, value in scope["headers"] if name not in _DROPPED_HEADERS]
    headers.append((b"accept", b"application/json, text/event-stream"))
    headers.append((b"content-length", str(len(body)).encode()))
    if version is not None:
        headers.append((b"mcp-protocol-version", version.encode()))
    return {**scope, "headers": headers, MESSAGE: message, "homeport.body": body}


def _replay(scope: Scope, receive: Receive) -> Receive:
    """Returns a `receive` with the body that `scope` was made for, after which the client can only leave."""
    waiting = [scope.pop("homeport.body")]

    async def replay() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        while (message := await receive())["type"] == "http.request":
            pass
        return message

    return replay


def _json_parts(message: Mapping[str, Any]) -> list[Message]:
    headers = [(b"content-type", b"application/json")]
    return [
        {"type": "http.response.start", "status": 200, "headers": headers},
        {"type": "http.response.body", "body": encode(message)},
    ]


async def _refuse(send: Send, refusal: RPC) -> None:
    await send_json(send, http_status(refusal), refusal)


async def _send_empty(send: Send, status: int, headers: Headers | None = None) -> None:
    fields = [(b"content-length", b"0"), *(headers or [])]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": b""})
