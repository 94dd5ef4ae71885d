"""Serves legacy HTTP+SSE for an app that has only /mcp, by sending it each posted message as one request.

The app's answers, JSON or stream, are put event by event on the client's open GET /sse, including errors: clients on
mcp 1.x wait for ever after an HTTP error to their POST (specification 2024-11-05, basic/transports, HTTP with SSE).
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field
from urllib.parse import parse_qs
from uuid import uuid4

from ..asgi import ASGIApp, Headers, Message, Receive, Scope, Send, send_error
from ..protocol.event_stream import send_events
from ..protocol.jsonrpc import EVENT_STREAM, INTERNAL_ERROR, INVALID_REQUEST, RPC, error, meta_of
from ..protocol.messages import ClientGoneError, parse, read_body
from ..protocol.modern_answer import Events
from ..protocol.probe import exchange

PING = b'{"jsonrpc":"2.0","id":0,"method":"ping"}'
# Headers that describe how the message was posted, and not its sender.
_OWN_HEADERS = frozenset((b"accept", b"content-length", b"mcp-session-id", b"mcp-protocol-version"))


@dataclass
class _Session:
    """Is one client: the messages for its stream, the requests under way, and the app's own session id if
    it has one.
    """

    stream: asyncio.Queue[RPC] = field(default_factory=asyncio.Queue)
    calls: set[asyncio.Task[None]] = field(default_factory=set)
    app_session: bytes | None = None


class SSEFacade:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._sessions: dict[str, _Session] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_stream = scope["path"] == "/sse"
        allowed = "GET" if is_stream else "POST"
        if scope["method"] != allowed:
            await send_error(send, 405, INVALID_REQUEST, "Method Not Allowed", [(b"allow", allowed.encode())])
        elif is_stream:
            await self._open(scope, receive, send)
        else:
            await self._post(scope, receive, send)

    async def _open(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The app's own guard protects the stream as it does /mcp.
        headers = [*_own(scope["headers"]), (b"content-length", str(len(PING)).encode())]
        status, fields, body = await exchange(self._app, "POST", "/mcp", headers, PING)
        if status in (401, 403):
            await send({"type": "http.response.start", "status": status, "headers": fields})
            await send({"type": "http.response.body", "body": body})
            return
        name, session = uuid4().hex, _Session()
        self._sessions[name] = session
        first = f"event: endpoint\r\ndata: /messages/?session_id={name}\r\n\r\n".encode()
        try:
            await send_events(receive, send, session.stream, first=first)
        finally:
            del self._sessions[name]
            for call in session.calls:
                call.cancel()

    async def _post(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = parse_qs(scope["query_string"].decode("latin-1")).get("session_id", [""])[0]
        session = self._sessions.get(name)
        if session is None:
            await send_error(send, 404, INVALID_REQUEST, "Could not find session")
            return
        try:
            body = await read_body(receive)
        except ClientGoneError:
            return
        call = asyncio.ensure_future(self._forward(scope, body, session))
        session.calls.add(call)
        call.add_done_callback(session.calls.discard)
        await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"8")]})
        await send({"type": "http.response.body", "body": b"Accepted"})

    async def _forward(self, scope: Scope, body: bytes, session: _Session) -> None:
        headers = _own(scope["headers"])
        headers.append((b"content-length", str(len(body)).encode()))
        if session.app_session is not None:
            headers.append((b"mcp-session-id", session.app_session))
        inner = {**scope, "path": "/mcp", "raw_path": b"/mcp", "query_string": b"", "headers": headers}
        message = parse(body) or {}
        headers += _modern_headers(message)
        answer = _Answer(session, message.get("id") if "method" in message else None)
        incoming: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            if incoming:
                return incoming.pop()
            await asyncio.Event().wait()
            raise AssertionError

        try:
            await self._app(inner, receive, answer.send)
        except Exception as problem:
            answer.fail(f"{type(problem).__name__}: {problem}")
            raise


class _Answer:
    """Puts the messages in the app's HTTP answer on the stream."""

    def __init__(self, session: _Session, request_id: object) -> None:
        self._session = session
        self._request_id = request_id
        self._status = 0
        self._events: Events | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            for name, value in message["headers"]:
                if name.lower() == b"mcp-session-id":
                    self._session.app_session = value
                elif name.lower() == b"content-type" and value.startswith(EVENT_STREAM):
                    self._events = Events()
        elif self._events is not None:
            for data in self._events.feed(message.get("body", b"")):
                if data is not None:
                    self._put(data)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                self._finish()

    def _finish(self) -> None:
        if self._body and self._put(self._body):
            return
        if self._request_id is not None:
            self.fail(f"HTTP {self._status}")

    def _put(self, data: bytes) -> bool:
        message = parse(data) or {}
        if message.get("jsonrpc") != "2.0":
            return False
        self._session.stream.put_nowait(message)
        return True

    def fail(self, reason: str) -> None:
        self._session.stream.put_nowait(error(self._request_id, INTERNAL_ERROR, reason))


def _own(headers: Headers) -> Headers:
    """Returns the caller's headers for a request to /mcp."""
    kept = [(name, value) for name, value in headers if name not in (*_OWN_HEADERS, b"content-type")]
    return [*kept, (b"content-type", b"application/json"), (b"accept", b"application/json, text/event-stream")]


def _modern_headers(message: RPC) -> Headers:
    """Returns the headers that protocol 2026-07-28 requires over HTTP, from the message, since HTTP+SSE has none."""
    version = meta_of(message).get("io.modelcontextprotocol/protocolVersion")
    if not isinstance(version, str):
        return []
    headers = [(b"mcp-protocol-version", version.encode()), (b"mcp-method", str(message.get("method")).encode())]
    name = message["params"].get("uri" if message.get("method") == "resources/read" else "name")
    if isinstance(name, str):
        headers.append((b"mcp-name", _header_value(name)))
    return headers


def _header_value(text: str) -> bytes:
    """Returns plain text if possible, else the encoding of the specification (2026-07-28,
    basic/transports/streamable-http).
    """
    if text.isascii() and text.isprintable() and text == text.strip():
        return text.encode()
    return b"=?base64?" + base64.b64encode(text.encode()) + b"?="
