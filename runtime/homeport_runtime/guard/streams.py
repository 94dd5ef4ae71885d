"""Tracks calls over legacy HTTP+SSE: a message comes by POST /messages/, its answer goes to the open
GET /sse stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from ..asgi import ASGIApp, Message, Receive, Scope, Send
from ..protocol.jsonrpc import is_request_id, messages_in
from ..relay.base import Posted, Relay
from .carried import MAX_SAID, SAID_FOR_GOOD, Carried
from .open_streams import OpenStreams, Stream
from .watched import Watched, failed

# The seconds in which a server has to take the messages that set a session's state.
REPEAT_S = 10.0


def session_of(query: bytes) -> str:
    """Returns the session that a message is for: POST /messages/?session_id=..."""
    return parse_qs(query.decode("latin-1")).get("session_id", [""])[0]


@dataclass(eq=False)
class _Session:
    """Is one session.

    `name` is what its client calls it, `own` what the app does, which differs if another worker opened the stream.
    `waiting` are the requests without an answer by their ids, calls with their records. `said` are the messages that
    set the session's state, None if they are too many to repeat. While it `is_silent` the client gets nothing from the
    app; while it `leaves` it waits to be handed over to another worker.
    """

    scope: Scope
    name: str = ""
    own: str = ""
    stream: Stream = field(init=False)
    waiting: dict[Any, Watched | None] = field(default_factory=dict)
    said: tuple[Posted, ...] | None = ()
    is_silent: bool = False
    leaves: bool = False
    _rest: bytes = b""
    _answered: bool = False

    def is_busy(self) -> bool:
        return bool(self.waiting) or self.leaves

    def remember(self, posted: Posted) -> None:
        if self.said is not None:
            said = (*self.said, posted)
            self.said = said if sum(len(each.body) for each in said) <= MAX_SAID else None

    def read(self, text: bytes) -> None:
        *lines, self._rest = (self._rest + text).split(b"\n")
        for line in lines:
            if self.waiting and line.startswith(b"data:"):
                for answer in messages_in(line):
                    self._hear(answer, len(line))

    def take_answered(self) -> bool:
        """Tells whether a call was answered since it was asked last; after other answers, clients post more."""
        answered, self._answered = self._answered, False
        return answered

    def _hear(self, answer: Mapping[str, Any], size: int) -> None:
        answered = answer.get("id")
        record = self.waiting.pop(answered, None) if is_request_id(answered) else None
        if record is not None:
            self._answered = True
            record.bytes_out = size
            record.finish(*(("error", answer) if failed(answer) else ("ok",)))


class StreamCalls:
    """Holds the sessions whose stream is open in this process, and their calls."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}
        self._arriving: dict[str, asyncio.Event] = {}

    def knows(self, session: str) -> bool:
        """Tells whether the session is open here, or about to be."""
        return session in self._sessions or session in self._arriving

    def announce(self, session: str) -> None:
        """Notes that the session will come from another worker."""
        self._arriving[session] = asyncio.Event()

    async def arrival(self, session: str) -> None:
        """Waits until messages can be posted to a session that is about to be open here."""
        if session in self._arriving:
            await self._arriving[session].wait()

    def post(self, scope: Scope, body: bytes, said: object, send: Send) -> Send:
        """Notes a message before it is posted, and returns a `send` that watches the answer to the POST."""
        query = scope["query_string"]
        session = self._sessions.get(session_of(query))
        if session is None:
            return send
        name = session_of(query).encode()
        scope["query_string"] = query.replace(name, session.own.encode())
        messages = said if isinstance(said, list) else [said]
        requests = [each for each in messages if isinstance(each, dict) and isinstance(each.get("method"), str)]
        if any(each["method"] in SAID_FOR_GOOD for each in requests):
            session.remember(Posted(query.replace(name, session.name.encode()), scope["headers"], body))
        asked = [each["id"] for each in requests if is_request_id(each.get("id"))]
        session.waiting.update(dict.fromkeys(asked))

        async def watched(part: Message) -> None:
            if part["type"] == "http.response.start" and part["status"] >= 400:
                for each in asked:
                    session.waiting.pop(each, None)
            await send(part)

        return watched

    def expect(self, scope: Scope, record: Watched) -> None:
        session = self._sessions.get(session_of(scope["query_string"]))
        if session is not None and is_request_id(record.message_id):
            session.waiting[record.message_id] = record

    def give_up(self, scope: Scope, request_id: object) -> bool:
        """Expects no answer to a request any more, and returns whether there was none yet."""
        session = self._sessions.get(session_of(scope["query_string"]))
        if session is None or not is_request_id(request_id) or request_id not in session.waiting:
            return False
        record = session.waiting.pop(request_id)
        if record is not None:
            record.finish("error")
        return True

    async def say(self, session: str, event: bytes) -> None:
        """Sends an event on the session's stream, if that is still open."""
        if session in self._sessions:
            part = {"type": "http.response.body", "body": event, "more_body": True}
            await self._sessions[session].stream.send(part)

    def carry(self, give: Callable[[Carried], bool | None]) -> None:
        """Hands the streams on which nobody waits for an answer over to another worker.

        `give` returns whether one was taken, and None if it cannot be handed over.
        """
        for session in set(self._sessions.values()):
            if session.waiting or session.is_silent or session.said is None:
                continue
            gone = give(Carried(session.name, session.scope, session.said))
            session.leaves = gone is not None
            if gone:
                self._forget(session)
                session.stream.leave()

    async def follow(
        self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, streams: OpenStreams, relay: Relay | None
    ) -> None:
        """Follows one stream: its first event names the session, each later one may answer a call.

        The relay knows the session before the client does. Calls without an answer when the stream ends are recorded as
        abandoned.
        """
        held = AsyncExitStack()
        session = _Session(scope)

        async def opened() -> None:
            session.name = session.own
            if relay is not None:
                session.name = relay.public_name(session.own)
                self._sessions[session.name] = session
                await held.enter_async_context(relay.holding(session.own, session.stream.end))

        async def told() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect":
                # The app may take long to end, and nothing can be answered any more.
                await held.aclose()
            return message

        try:
            await self._hold(session, app, told, send, streams, opened)
        finally:
            await held.aclose()

    async def carry_on(
        self,
        app: ASGIApp,
        carried: Carried,
        receive: Receive,
        send: Send,
        streams: OpenStreams,
        deliver: Callable[[Posted], Awaitable[None]],
    ) -> None:
        """Follows a stream that was handed over, whose client knows its name.

        The messages that set the session's state are delivered to the app again; its answers are dropped, since the
        client has had them.
        """
        session = _Session(carried.scope, carried.name, is_silent=True)
        repeating: list[asyncio.Future[None]] = []

        async def opened() -> None:
            repeating.append(asyncio.ensure_future(self._repeat(session, carried.said, deliver)))

        try:
            await self._hold(session, app, receive, send, streams, opened)
        finally:
            for each in repeating:
                each.cancel()
            self._arrived(carried.name)

    async def _repeat(
        self, session: _Session, said: Sequence[Posted], deliver: Callable[[Posted], Awaitable[None]]
    ) -> None:
        end = asyncio.get_running_loop().time() + REPEAT_S
        for posted in said:
            query = posted.query.replace(session.name.encode(), session.own.encode())
            await deliver(posted._replace(query=query))
            while session.waiting and asyncio.get_running_loop().time() < end:
                await asyncio.sleep(0.005)
        session.is_silent = False
        self._sessions[session.name] = session
        self._arrived(session.name)

    def _arrived(self, session: str) -> None:
        if (arriving := self._arriving.pop(session, None)) is not None:
            arriving.set()

    async def _hold(
        self,
        session: _Session,
        app: ASGIApp,
        receive: Receive,
        send: Send,
        streams: OpenStreams,
        opened: Callable[[], Awaitable[None]],
    ) -> None:
        async def watched(message: Message) -> None:
            body: bytes = message.get("body", b"")
            if not session.own and b"session_id=" in body:
                session.own = body.split(b"session_id=", 1)[1].split()[0].decode("latin-1")
                self._sessions[session.own] = session
                await opened()
                if not session.is_silent and session.name != session.own:
                    message = {**message, "body": body.replace(session.own.encode(), session.name.encode())}
            elif session.own:
                session.read(body)
            if session.take_answered():
                message = session.stream.ending(message)
            if not (session.is_silent and message.get("more_body")):
                await send(message)

        session.stream = Stream(receive, watched, session.is_busy)
        try:
            await streams.hold(app, session.scope, session.stream)
        finally:
            self._forget(session)
            for record in session.waiting.values():
                if record is not None:
                    record.finish("abandoned")

    def _forget(self, session: _Session) -> None:
        for name in (session.name, session.own):
            self._sessions.pop(name, None)
