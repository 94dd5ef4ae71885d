"""Legacy HTTP+SSE: what is said comes by POST /messages/, its answer on the open GET /sse stream."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from ..asgi import ASGIApp, Message, Receive, Scope, Send
from ..jsonrpc import is_request_id
from ..relay.base import Relay
from .calls import CallRecord, failed
from .open_streams import OpenStreams, Stream


def session_of(query: bytes) -> str:
    """The session that a message is for: POST /messages/?session_id=..."""
    return parse_qs(query.decode("latin-1")).get("session_id", [""])[0]


@dataclass
class _Session:
    """`waiting` are the records of calls without an answer, by their messages' ids."""

    stream: Stream
    waiting: dict[Any, CallRecord] = field(default_factory=dict)


class StreamCalls:
    """The sessions whose stream is open in this process, and their calls."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}

    def knows(self, session: str) -> bool:
        return session in self._sessions

    def expect(self, scope: Scope, record: CallRecord) -> None:
        session = self._sessions.get(session_of(scope["query_string"]))
        if session is not None and is_request_id(record.message_id):
            session.waiting[record.message_id] = record

    async def say(self, session: str, event: bytes) -> None:
        """Puts an event onto the session's stream, if that is still open."""
        if session in self._sessions:
            part = {"type": "http.response.body", "body": event, "more_body": True}
            await self._sessions[session].stream.send(part)

    async def follow(
        self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, streams: OpenStreams, relay: Relay | None
    ) -> None:
        """Follows one stream: its first event names the session, each later one may answer a call. The relay knows the
        session before the client does.

        Calls without an answer when the stream ends, for whatever reason, were abandoned.
        """
        name: str | None = None
        rest = b""
        held = AsyncExitStack()

        async def told() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect":
                # The app may take its time to end, and nothing can be answered any more.
                await held.aclose()
            return message

        async def watched(message: Message) -> None:
            nonlocal name, rest
            if message["type"] == "http.response.body":
                body: bytes = message.get("body", b"")
                if name is None and b"session_id=" in body:
                    name = body.split(b"session_id=", 1)[1].split()[0].decode("latin-1")
                    self._sessions[name] = session
                    if relay is not None:
                        await held.enter_async_context(relay.holding(name, stream.end))
                elif name is not None:
                    rest = self._read(session, rest + body)
            await send(message)

        stream = Stream(told, watched, lambda: bool(session.waiting))
        session = _Session(stream)
        try:
            await streams.hold(app, scope, stream)
        finally:
            self._end(name, session)
            await held.aclose()

    def _read(self, session: _Session, text: bytes) -> bytes:
        *lines, rest = text.split(b"\n")
        for line in lines:
            if not session.waiting or not line.startswith(b"data:"):
                continue
            try:
                answer = json.loads(line[5:])
            except (ValueError, RecursionError):
                continue
            answered = answer.get("id") if isinstance(answer, dict) else None
            record = session.waiting.pop(answered, None) if is_request_id(answered) else None
            if record is not None:
                record.finish("error" if failed(answer) else "ok")
        return rest

    def _end(self, name: str | None, session: _Session) -> None:
        if name is not None:
            del self._sessions[name]
        for record in session.waiting.values():
            record.finish("abandoned")
