"""Serves streamable HTTP for a stdio program (specification 2025-11-25, basic/transports, Streamable HTTP)."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

from ..asgi import Headers, Receive, Scope, Send, header, send_error
from ..protocol.event_stream import send_events, send_replies
from ..protocol.jsonrpc import HANDSHAKE_VERSIONS, INVALID_REQUEST, PARSE_ERROR, RPC, accepted, is_request_id, read_json
from ..protocol.messages import ClientGoneError
from .stdio_program import StdioProgram

# The most sessions; beyond them the oldest is forgotten, and its client opens a new one, as for any 404.
MAX_SESSIONS = 10_000


class StdioHTTP:
    """Is the ASGI app for /mcp; without sessions each POST is independent and there is no GET stream."""

    def __init__(self, program: StdioProgram, *, sessions: bool) -> None:
        self._program = program
        self._stateful = sessions
        # Session id -> whether its GET stream is open.
        self._sessions: dict[str, bool] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        if method == "POST":
            await self._post(scope, receive, send)
        elif not self._stateful or method not in ("GET", "DELETE"):
            allowed = b"GET, POST, DELETE" if self._stateful else b"POST"
            await send_error(send, 405, INVALID_REQUEST, "Method Not Allowed", [(b"allow", allowed)])
        elif await self._in_session(scope, send):
            session = header(scope, b"mcp-session-id") or ""
            if method == "DELETE":
                del self._sessions[session]
                await _send_empty(send, 200)
            else:
                await self._get(scope, receive, send, session)

    async def _in_session(self, scope: Scope, send: Send) -> bool:
        """Tells whether the request belongs to a session, or needs none; if not, the answer is sent."""
        if not self._stateful:
            return True
        session = header(scope, b"mcp-session-id")
        if session is None:
            await send_error(send, 400, INVALID_REQUEST, "Bad Request: Missing session ID")
        elif session not in self._sessions:
            await send_error(send, 404, INVALID_REQUEST, "Session not found")
        else:
            return True
        return False

    async def _get(self, scope: Scope, receive: Receive, send: Send, session: str) -> None:
        """Streams the program's notifications that belong to no request: changed lists, log lines."""
        if not accepted(scope)[1]:
            await send_error(send, 406, INVALID_REQUEST, "Not Acceptable: Client must accept text/event-stream")
            return
        if self._sessions[session]:
            await send_error(send, 409, INVALID_REQUEST, "Conflict: Only one SSE stream is allowed per session")
            return
        heard: asyncio.Queue[RPC] = asyncio.Queue()
        self._sessions[session] = True
        try:
            with self._program.listening(heard):
                await send_events(receive, send, heard, headers=[(b"mcp-session-id", session.encode())])
        finally:
            if session in self._sessions:
                self._sessions[session] = False

    async def _post(self, scope: Scope, receive: Receive, send: Send) -> None:
        as_json, as_stream, by_name = accepted(scope)
        if not as_json and not as_stream:
            text = "Not Acceptable: Client must accept application/json or text/event-stream"
            await send_error(send, 406, INVALID_REQUEST, text)
            return
        try:
            message = await read_json(scope, receive)
        except ClientGoneError:
            return
        except ValueError as problem:
            await send_error(send, 400, PARSE_ERROR, f"Parse error: {problem}")
            return
        problem_text = _refusal(scope, message)
        if problem_text is not None:
            await send_error(send, 400, INVALID_REQUEST, problem_text)
        elif message.get("method") == "initialize" and "id" in message:
            await self._initialize(receive, send, message, by_name)
        elif await self._in_session(scope, send):
            owner = header(scope, b"mcp-session-id") if self._stateful else _caller(scope)
            await self._take(receive, send, message, owner or "", by_name)

    async def _initialize(self, receive: Receive, send: Send, message: RPC, stream: bool) -> None:
        headers: Headers = []
        if self._stateful:
            session = uuid4().hex
            self._sessions[session] = False
            headers.append((b"mcp-session-id", session.encode()))
            if len(self._sessions) > MAX_SESSIONS:
                del self._sessions[next(iter(self._sessions))]
        answer: asyncio.Queue[RPC] = asyncio.Queue()
        answer.put_nowait(self._program.answer_at_once(message) or {})
        await send_replies(receive, send, answer, stream, headers)

    async def _take(self, receive: Receive, send: Send, message: RPC, owner: str, stream: bool) -> None:
        if "method" not in message or "id" not in message:
            self._program.take_notification(message, owner)
            await _send_empty(send, 202)
            return
        async with self._program.ask(message, owner) as replies:
            await send_replies(receive, send, replies, stream, [])


def _refusal(scope: Scope, message: Any) -> str | None:
    """Returns why a message is refused, None if it is not."""
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        return "Invalid Request: the body must be a single JSON-RPC 2.0 message"
    if "id" in message and not is_request_id(message["id"]):
        return "Invalid Request: id must be a string or an integer"
    version = header(scope, b"mcp-protocol-version")
    if version is not None and version not in HANDSHAKE_VERSIONS and message.get("method") != "initialize":
        known = ", ".join(HANDSHAKE_VERSIONS)
        return f"Bad Request: Unsupported protocol version: {version}. Supported versions: {known}"
    return None


def _caller(scope: Scope) -> str:
    """Identifies the caller as well as possible without sessions, since request ids are unique only
    within one client.
    """
    host = (scope.get("client") or ("",))[0]
    return f"{host} {header(scope, b'authorization')} {header(scope, b'user-agent')}"


async def _send_empty(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
