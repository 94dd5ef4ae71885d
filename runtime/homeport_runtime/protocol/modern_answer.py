"""Translates the answer of a server of the handshake era into one of protocol 2026-07-28 while it arrives."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from ..asgi import Headers, Message, Send, send_json
from .jsonrpc import EVENT_STREAM, INTERNAL_ERROR, INVALID_PARAMS, KEEP_ALIVE, RPC, SSE_HEADERS, error, event, meta_of
from .modern_request import CACHEABLE, LOG_LEVEL_KEY, LOG_LEVELS

SERVER_INFO_KEY = "io.modelcontextprotocol/serverInfo"
# The older era's code for a missing resource, which the modern era no longer has.
RESOURCE_NOT_FOUND = -32002

# mcp 2.3, `ERROR_CODE_HTTP_STATUS`; every other code is answered with 200.
_STATUS = {-32700: 400, -32600: 400, -32602: 400, -32020: 400, -32021: 400, -32022: 400, -32601: 404}

_EVENT_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")


def http_status(response: RPC) -> int:
    return _STATUS.get(response["error"]["code"], 200) if "error" in response else 200


def translate_response(response: RPC, cacheable: bool, server: RPC) -> RPC:
    """Returns the response with the fields that 2026-07-28 requires; values that the server has set are kept."""
    if "error" in response:
        problem = response["error"]
        code = INVALID_PARAMS if problem.get("code") == RESOURCE_NOT_FOUND else problem.get("code")
        return {**response, "error": {**problem, "code": code}}
    result = {**response.get("result", {}), "resultType": "complete"}
    if cacheable:
        result = {"ttlMs": 0, "cacheScope": "private", **result}
    result["_meta"] = {SERVER_INFO_KEY: server.get("serverInfo"), **(result.get("_meta") or {})}
    for tool in result.get("tools", []) if isinstance(result.get("tools"), list) else []:
        # Tasks are an extension in this era, and not one that this server has.
        tool.pop("execution", None)
    return {**response, "result": result}


class Events:
    """Splits a stream into server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        """Yields the data of each event that is complete with `data`; None for a comment."""
        # An event may come in as many pieces as it has bytes: what was looked at has at most the beginning of its end.
        looked_at = max(len(self._buffer) - 3, 0)
        self._buffer += data
        if _EVENT_END.search(self._buffer, looked_at) is None:
            return
        *ended, rest = _EVENT_END.split(bytes(self._buffer))
        self._buffer = bytearray(rest)
        for block in ended:
            lines = [line for line in block.splitlines() if line.startswith(b"data:")]
            payload = b"\n".join(line[5:].strip() for line in lines)
            if payload:
                yield payload
            elif block.startswith(b":"):
                yield None


class Answer:
    """Receives what the server sends for one request, and sends it on translated.

    As in mcp 2.3, a stream begins only with its first notification, so that a response without any is plain JSON and an
    error has its HTTP status. A refusal that is no JSON-RPC response (401, 429 ...) is passed on as it is.
    """

    def __init__(self, send: Send, request: RPC, server: RPC) -> None:
        self._send = send
        self._request = request
        self._server = server
        self._start: Message = {}
        self._body = b""
        self._events: Events | None = None
        self._streaming = False
        self._done = False
        # Set when the server sends the client a request, which nobody can answer; `on_abort` then ends its work.
        self.aborted = False
        self.on_abort: Callable[[], Any] = lambda: None

    async def send(self, message: Message) -> None:
        """Is the ASGI `send` of the server."""
        if self._done:
            return
        if message["type"] == "http.response.start":
            self._start = message
            if message["status"] == 200 and _content_type(message["headers"]).startswith(EVENT_STREAM):
                self._events = Events()
        elif self._events is not None:
            for data in self._events.feed(message.get("body", b"")):
                await self._receive(data)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._send_plain()

    async def finish(self) -> None:
        """Responds with an error if the server has returned without a response."""
        if not self._done:
            await self._respond(error(None, INTERNAL_ERROR, "the server ended without an answer"))

    async def _send_plain(self) -> None:
        response = _decode(self._body)
        if self._start["status"] == 200 and response is not None and "method" not in response:
            await self._respond(response)
        else:
            self._done = True
            await self._send(self._start)
            await self._send({"type": "http.response.body", "body": self._body})

    async def _receive(self, data: bytes | None) -> None:
        message = _decode(data) if data is not None else None
        if self._done or (data is not None and message is None):
            return
        if message is None:
            await self._stream(KEEP_ALIVE)
        elif "method" not in message:
            await self._respond(message)
        elif "id" in message:
            text = f"the server asked the client for {message['method']}, which it cannot do over protocol 2026-07-28"
            await self._respond(error(None, INTERNAL_ERROR, text))
            self.aborted = True
            self.on_abort()
        elif self._is_wanted(message):
            await self._stream(event(message))

    def _is_wanted(self, notification: RPC) -> bool:
        if notification["method"] == "notifications/message":
            wanted = meta_of(self._request).get(LOG_LEVEL_KEY)
            level = (notification.get("params") or {}).get("level")
            return wanted is not None and level in LOG_LEVELS[LOG_LEVELS.index(wanted) :]
        # Only notifications about this request may be sent.
        return bool(notification["method"] == "notifications/progress")

    async def _stream(self, data: bytes, *, more: bool = True) -> None:
        if not self._streaming:
            self._streaming = True
            await self._send({"type": "http.response.start", "status": 200, "headers": SSE_HEADERS})
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def _respond(self, response: RPC) -> None:
        self._done = True
        cacheable = self._request["method"] in CACHEABLE
        translated = translate_response({**response, "id": self._request["id"]}, cacheable, self._server)
        if self._streaming:
            await self._stream(event(translated), more=False)
        else:
            await send_json(self._send, http_status(translated), translated)


def read_response(parts: list[Message]) -> RPC | None:
    """Returns the JSON-RPC response in a whole HTTP answer, None if there is none."""
    if not parts or parts[0]["status"] != 200:
        return None
    body = b"".join(part.get("body", b"") for part in parts[1:])
    if not _content_type(parts[0]["headers"]).startswith(EVENT_STREAM):
        return _decode(body)
    messages = [_decode(data) for data in Events().feed(body + b"\n\n") if data is not None]
    return next((message for message in messages if message is not None and "method" not in message), None)


def _content_type(headers: Headers) -> bytes:
    return next((value for name, value in headers if name.lower() == b"content-type"), b"")


def _decode(data: bytes) -> RPC | None:
    try:
        message = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) and message.get("jsonrpc") == "2.0" else None
