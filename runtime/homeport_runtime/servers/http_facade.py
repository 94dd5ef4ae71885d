"""Serves streamable HTTP for an app that has only HTTP+SSE, by opening one HTTP+SSE session with it for each POST.

The session is opened, and everything in it posted, through the app itself and with the caller's headers, so that the
app's own guards protect this too (specification 2024-11-05, basic/transports, HTTP with SSE).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from ..asgi import ASGIApp, Headers, Message, Receive, Scope, Send, header, send_error
from ..protocol.event_stream import send_replies
from ..protocol.jsonrpc import (
    EVENT_STREAM,
    HANDSHAKE_VERSIONS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    RPC,
    accepted,
    encode,
    error,
    failure,
    read_json,
)
from ..protocol.messages import MESSAGE, ClientGoneError, parse
from ..protocol.modern_answer import Events
from ..protocol.probe import CLIENT_INFO, exchange

# Headers that belong to one request of streamable HTTP, and do not identify its sender.
_OWN_HEADERS = frozenset((b"accept", b"content-length", b"content-type", b"mcp-session-id", b"mcp-protocol-version"))
# The id of the handshake that precedes the caller's own request.
_HANDSHAKE = "homeport-handshake"
# The seconds that the app has to end a session.
GRACE_S = 1.0


class HTTPFacade:
    """Is the ASGI app for /mcp, without sessions; `path` is where `app` answers GET with its event stream."""

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app = app
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await send_error(send, 405, INVALID_REQUEST, "Method Not Allowed", [(b"allow", b"POST")])
            return
        try:
            message = await read_json(scope, receive)
        except ClientGoneError:
            return
        except ValueError as problem:
            await send_error(send, 400, PARSE_ERROR, f"Parse error: {problem}")
            return
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            await send_error(send, 400, INVALID_REQUEST, "the body must be a single JSON-RPC 2.0 message")
            return
        try:
            async with _opened(self._app, scope, self._path) as session:
                await _converse(session, scope, message, receive, send)
        except Refused as refusal:
            await send(refusal.start)
            await send({"type": "http.response.body", "body": refusal.body})


async def _converse(session: Session, scope: Scope, message: RPC, receive: Receive, send: Send) -> None:
    """Sends the caller the answer to one message."""
    if "method" not in message or "id" not in message:
        # A notification or a response is about a session that has ended.
        await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
        return
    if message["method"] != "initialize":
        await session.shake_hands(header(scope, b"mcp-protocol-version"))
    await session.post(message)
    replies: asyncio.Queue[RPC] = asyncio.Queue()
    passing = asyncio.ensure_future(session.pass_on(message["id"], replies))
    try:
        await send_replies(receive, send, replies, accepted(scope)[2], [])
    finally:
        passing.cancel()


class Refused(Exception):
    """Holds the app's own answer to a stream, or to a message, that it refused."""

    def __init__(self, start: Message, body: bytes) -> None:
        super().__init__(start["status"])
        self.start = start
        self.body = body


@asynccontextmanager
async def _opened(app: ASGIApp, scope: Scope, path: str) -> AsyncIterator[Session]:
    """Opens a session with the app, which ends with the context.

    Raises Refused if the app does not open a stream.
    """
    session = Session(app, scope)
    stream = asyncio.ensure_future(
        app(session.scope("GET", path, scope["query_string"]), session.receive, session.send)
    )
    stream.add_done_callback(session.ended)
    try:
        await session.find_endpoint()
        yield session
    finally:
        session.over.set()
        await asyncio.wait([stream], timeout=GRACE_S)
        stream.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await stream


class Session:
    """Is one event stream of the app's, with the messages that are posted for it."""

    def __init__(self, app: ASGIApp, caller: Scope) -> None:
        self._app = app
        self._caller = caller
        self._headers: Headers = [(name, value) for name, value in caller["headers"] if name not in _OWN_HEADERS]
        self._start: Message = {}
        self._events: Events | None = None
        self._body = b""
        # The data of each event; None at the end.
        self._heard: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._target = urlsplit("")
        self.over = asyncio.Event()

    def scope(self, method: str, path: str, query: bytes) -> Scope:
        accept = (b"accept", EVENT_STREAM if method == "GET" else b"*/*")
        changed = {"method": method, "path": path, "raw_path": path.encode(), "query_string": query}
        return {**self._caller, **changed, "headers": [*self._headers, accept]}

    async def receive(self) -> Message:
        await self.over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            kinds = [bytes(value) for name, value in message["headers"] if name.lower() == b"content-type"]
            if message["status"] == 200 and kinds and kinds[0].startswith(EVENT_STREAM):
                self._events = Events()
        elif self._events is None:
            self._body += message.get("body", b"")
        else:
            for data in self._events.feed(message.get("body", b"")):
                if data is not None:
                    self._heard.put_nowait(data)

    def ended(self, _stream: asyncio.Future[None]) -> None:
        self._heard.put_nowait(None)

    async def find_endpoint(self) -> None:
        """Reads from the first event where messages are posted.

        Raises Refused if the app does not open a stream.
        """
        first = await self._heard.get()
        if first is None:
            missing: Message = {"type": "http.response.start", "status": 502, "headers": []}
            raise Refused(self._start or missing, self._body)
        self._target = urlsplit(first.decode("utf-8", "replace"))

    async def shake_hands(self, version: str | None) -> None:
        params = {
            "protocolVersion": version or HANDSHAKE_VERSIONS[-1],
            "capabilities": {},
            "clientInfo": CLIENT_INFO,
        }
        await self.post({"jsonrpc": "2.0", "id": _HANDSHAKE, "method": "initialize", "params": params})
        heard: asyncio.Queue[RPC] = asyncio.Queue()
        await self.pass_on(_HANDSHAKE, heard)
        await self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})

    async def post(self, message: RPC) -> None:
        """Posts a message.

        Raises Refused if the app does not take it.
        """
        body, path = encode(message), self._target.path
        scope = self.scope("POST", path, self._target.query.encode())
        scope["headers"] += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        # The message that the guard has parsed is the caller's, and not this one.
        scope.pop(MESSAGE, None)

        async def as_caller(_scope: Scope, receive: Receive, send: Send) -> None:
            await self._app(scope, receive, send)

        status, fields, answer = await exchange(as_caller, "POST", path, [], body)
        if status >= 300:
            raise Refused({"type": "http.response.start", "status": status, "headers": fields}, answer)

    async def pass_on(self, request_id: object, replies: asyncio.Queue[RPC]) -> None:
        """Puts the app's messages into `replies`, up to the response to the request."""
        while True:
            data = await self._heard.get()
            if data is None:
                detail = "the server ended the stream before it answered"
                replies.put_nowait(failure(request_id, "server_ended", detail))
                return
            message = parse(data) or {}
            if "method" in message and "id" in message:
                await self._answer(message)
            elif "method" in message:
                replies.put_nowait(message)
            elif message.get("id") == request_id:
                replies.put_nowait(message)
                return

    async def _answer(self, request: RPC) -> None:
        """Answers a ping, and with an error every request that only a client with a session could answer."""
        answer: RPC = {"jsonrpc": "2.0", "id": request["id"], "result": {}}
        if request["method"] != "ping":
            text = f"{request['method']} is not available without a session"
            answer = error(request["id"], METHOD_NOT_FOUND, text)
        with suppress(Refused):
            await self.post(answer)
