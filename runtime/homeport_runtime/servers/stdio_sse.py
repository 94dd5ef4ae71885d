"""Serves legacy HTTP+SSE for a stdio program (specification 2024-11-05, basic/transports, HTTP with SSE)."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs, quote
from uuid import uuid4

from ..asgi import Receive, Scope, Send, send_error
from ..protocol.event_stream import send_events
from ..protocol.jsonrpc import INVALID_REQUEST, PARSE_ERROR, RPC, error, is_request_id, read_json
from ..protocol.messages import ClientGoneError
from .stdio_program import StdioProgram


class StdioSSE:
    """Is the ASGI app for /sse and /messages/: GET /sse is the session, whose stream has every answer.

    A message to a known session is always accepted, and an error is sent on the stream, because clients on mcp 1.x wait
    for ever after an HTTP error here.
    """

    def __init__(self, program: StdioProgram) -> None:
        self._program = program
        self._streams: dict[str, asyncio.Queue[RPC]] = {}
        self._calls: dict[str, set[asyncio.Task[None]]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_stream = scope["path"].rstrip("/").endswith("/sse")
        allowed = "GET" if is_stream else "POST"
        if scope["method"] != allowed:
            await send_error(send, 405, INVALID_REQUEST, "Method Not Allowed", [(b"allow", allowed.encode())])
        elif is_stream:
            await self._open(scope, receive, send)
        else:
            await self._post(scope, receive, send)

    async def _open(self, scope: Scope, receive: Receive, send: Send) -> None:
        session = uuid4().hex
        stream = self._streams[session] = asyncio.Queue()
        calls = self._calls[session] = set()
        endpoint = f"{quote(scope.get('root_path', '').rstrip('/'))}/messages/?session_id={session}"
        try:
            with self._program.listening(stream):
                await send_events(receive, send, stream, first=f"event: endpoint\r\ndata: {endpoint}\r\n\r\n".encode())
        finally:
            del self._streams[session], self._calls[session]
            for call in calls:
                call.cancel()

    async def _post(self, scope: Scope, receive: Receive, send: Send) -> None:
        session = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("session_id", [""])[0]
        if not session:
            await send_error(send, 400, INVALID_REQUEST, "session_id is required")
            return
        if session not in self._streams:
            await send_error(send, 404, INVALID_REQUEST, "Could not find session")
            return
        try:
            self._take(session, await read_json(scope, receive))
        except ClientGoneError:
            return
        except ValueError as problem:
            self._say(session, error(None, PARSE_ERROR, f"Parse error: {problem}"))
        await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"8")]})
        await send({"type": "http.response.body", "body": b"Accepted"})

    def _say(self, session: str, message: RPC) -> None:
        if session in self._streams:
            self._streams[session].put_nowait(message)

    def _take(self, session: str, message: Any) -> None:
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            self._say(session, error(None, INVALID_REQUEST, "Invalid Request: not a single JSON-RPC 2.0 message"))
        elif "method" not in message or "id" not in message:
            self._program.take_notification(message, session)
        elif not is_request_id(message["id"]):
            self._say(session, error(None, INVALID_REQUEST, "Invalid Request: id must be a string or an integer"))
        elif (answer := self._program.answer_at_once(message)) is not None:
            self._say(session, answer)
        elif session in self._calls:
            call = asyncio.ensure_future(self._call(session, message))
            self._calls[session].add(call)
            call.add_done_callback(self._calls[session].discard)

    async def _call(self, session: str, request: RPC) -> None:
        async with self._program.ask(request, session) as replies:
            while True:
                reply = await replies.get()
                self._say(session, reply)
                if "method" not in reply:
                    return
