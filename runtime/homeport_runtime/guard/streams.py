"""Call records over legacy HTTP+SSE: the call comes by POST /messages/, its answer on the open GET /sse stream."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

from ..asgi import ASGIApp, Message, Receive, Scope, Send
from .calls import CallRecord, failed
from .messages import MESSAGE
from .open_streams import OpenStreams


def session_of(query: bytes) -> str:
    """The session that a message is for: POST /messages/?session_id=..."""
    return parse_qs(query.decode("latin-1")).get("session_id", [""])[0]


class StreamCalls:
    """Calls that wait for their answer, by the stream's session and the message's id."""

    def __init__(self) -> None:
        self._waiting: dict[str, dict[Any, CallRecord]] = {}

    def knows(self, session: str) -> bool:
        """Whether the session's stream is open in this process."""
        return session in self._waiting

    def expect(self, scope: Scope, record: CallRecord) -> None:
        session = session_of(scope["query_string"])
        message_id = scope[MESSAGE].get("id")
        if session in self._waiting and isinstance(message_id, (str, int)):
            self._waiting[session][message_id] = record

    async def follow(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, streams: OpenStreams) -> None:
        """Follows one stream: its first event names the session, each later one may answer a call.

        Calls without an answer when the stream ends, for whatever reason, were abandoned.
        """
        session: str | None = None
        rest = b""

        async def watched(message: Message) -> None:
            nonlocal session, rest
            if message["type"] == "http.response.body":
                body: bytes = message.get("body", b"")
                if session is None and b"session_id=" in body:
                    session = body.split(b"session_id=", 1)[1].split()[0].decode("latin-1")
                    self._waiting[session] = {}
                elif session is not None:
                    rest = self._read(session, rest + body)
            await send(message)

        try:
            await streams.hold(app, scope, receive, watched, lambda: bool(session and self._waiting.get(session)))
        finally:
            if session is not None:
                self._end(session)

    def _read(self, session: str, text: bytes) -> bytes:
        waiting = self._waiting.get(session, {})
        *lines, rest = text.split(b"\n")
        for line in lines:
            if not waiting or not line.startswith(b"data:"):
                continue
            try:
                answer = json.loads(line[5:])
            except ValueError:
                continue
            record = waiting.pop(answer.get("id"), None) if isinstance(answer, dict) else None
            if record is not None:
                record.finish("error" if failed(answer) else "ok")
        return rest

    def _end(self, session: str) -> None:
        for record in self._waiting.pop(session, {}).values():
            record.finish("abandoned")
