"""Legacy HTTP+SSE: what is said comes by POST /messages/, its answer on the open GET /sse stream."""

from __future__ import annotations

import json
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from ..asgi import ASGIApp, Message, Receive, Scope, Send
from ..jsonrpc import is_request_id
from ..relay.base import Relay
from .calls import CallRecord, failed
from .messages import MESSAGE
from .open_streams import OpenStreams, Stream

# Seconds without a message after which nothing is on its way to a stream any more.
QUIET_S = 0.25


def session_of(query: bytes) -> str:
    """The session that a message is for: POST /messages/?session_id=..."""
    return parse_qs(query.decode("latin-1")).get("session_id", [""])[0]


@dataclass
class _Session:
    """`waiting` are the requests without an answer, by their ids, with the records of those that are calls; `reached`
    is when a message for it was last seen, of the monotonic clock.
    """

    stream: Stream
    waiting: dict[Any, CallRecord | None] = field(default_factory=dict)
    reached: float = field(default_factory=time.monotonic)

    def is_busy(self) -> bool:
        """A message that has come, and is not taken in yet, is under way as one is that waits for its answer."""
        return bool(self.waiting) or time.monotonic() - self.reached < QUIET_S


class StreamCalls:
    """The sessions whose stream is open in this process, and their calls."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}

    def reach(self, session: str) -> bool:
        """Whether it is open here: then it stays so until the message that it was asked for can be taken in."""
        found = self._sessions.get(session)
        if found is not None:
            found.reached = time.monotonic()
        return found is not None

    def expect(self, scope: Scope, record: CallRecord | None = None) -> None:
        """A request is about to be taken in: its answer comes on the session's stream."""
        session = self._sessions.get(session_of(scope["query_string"]))
        message = scope[MESSAGE]
        if session is not None and "method" in message and is_request_id(message.get("id")):
            session.waiting[message["id"]] = record

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

        stream = Stream(told, watched, lambda: session.is_busy())  # noqa: PLW0108 - there is none yet
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
            except ValueError:
                continue
            if not isinstance(answer, dict) or "method" in answer or not is_request_id(answer.get("id")):
                continue
            record = session.waiting.pop(answer["id"], None)
            session.reached = time.monotonic()
            if record is not None:
                record.finish("error" if failed(answer) else "ok")
        return rest

    def _end(self, name: str | None, session: _Session) -> None:
        if name is not None:
            del self._sessions[name]
        for record in filter(None, session.waiting.values()):
            record.finish("abandoned")
