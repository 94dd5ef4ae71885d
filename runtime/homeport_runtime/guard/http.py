"""The guard as ASGI middleware."""

from __future__ import annotations

import asyncio
import os

from ..asgi import ASGIApp, Headers, Message, Receive, Scope, Send, header, send_error
from ..relay import Relay
from ..telemetry import request_id
from .auth import CHALLENGE, BearerToken, without_authorization
from .calls import CallRecord
from .messages import (
    MAX_BODY,
    MESSAGE,
    BodyTooLarge,
    Disconnected,
    declared_length,
    discard_body,
    parse,
    read_body,
    replay,
)
from .names import Names
from .open_streams import OpenStreams
from .streams import StreamCalls, session_of

MCP_PATHS = ("/mcp", "/mcp/", "/messages/", "/messages")


class Guard:
    """Checks Host, Origin, token and size, parses each message once, and keeps one record per tools/call.

    `open_requests` counts the requests that are being answered now; `served` those ever taken; `streams` are the GET
    streams among them. `relay` is set where the project may have other workers.
    """

    def __init__(self, app: ASGIApp, names: Names, token_hash: str | None = None) -> None:
        self._token = BearerToken(token_hash) if token_hash else None
        self._app = without_authorization(app) if token_hash else app
        self._names = names
        self._calls = StreamCalls()
        self.streams = OpenStreams()
        self.relay: Relay | None = None
        self._called = False
        self.open_requests = 0
        self.served = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.open_requests += 1
        self.served += 1
        try:
            await self._check(scope, receive, send)
        finally:
            self.open_requests -= 1

    async def _check(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._names.allows_host(header(scope, b"host")):
            await _refuse(scope, send, 421, "this server does not answer to that Host")
            return
        origin = header(scope, b"origin")
        if origin is not None and not self._names.allows_origin(origin):
            await _refuse(scope, send, 403, "this Origin may not use this server")
            return
        if self._token is not None and not self._token.allows(scope):
            await _refuse(scope, send, 401, "this server wants its bearer token", [CHALLENGE])
            return
        path = scope["path"]
        if path == "/sse" and scope["type"] == "http":
            await self._calls.follow(self._app, scope, receive, send, self.streams)
        elif path == "/mcp" and scope.get("method") == "GET":
            await self.streams.hold(self._app, scope, receive, send)
        elif path in MCP_PATHS and scope.get("method") == "POST":
            await self._message(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _message(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if declared_length(scope) > MAX_BODY:
                raise BodyTooLarge
            body = await read_body(receive)
        except BodyTooLarge:
            await _refuse_body(receive, send)
            return
        except Disconnected:
            return
        if scope["path"].startswith("/messages") and await self._relayed(scope, body):
            await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"8")]})
            await send({"type": "http.response.body", "body": b"Accepted"})
            return
        message = parse(body)
        if message is not None:
            scope[MESSAGE] = message
            if message.get("method") == "tools/call":
                await self._call(scope, replay(body, receive), send)
                return
        await self._app(scope, replay(body, receive), send)

    async def _relayed(self, scope: Scope, body: bytes) -> bool:
        """Whether the message is for a session in another worker, and that has taken it."""
        if self.relay is None or self.has_session(scope["query_string"]):
            return False
        return await self.relay.pass_on(scope, body)

    def has_session(self, query: bytes) -> bool:
        """Whether the HTTP+SSE session that a message's query names is open here."""
        return self._calls.knows(session_of(query))

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = os.urandom(8).hex()
        token = request_id.set(request)
        record = CallRecord(scope, scope[MESSAGE], request, cold=not self._called)
        self._called = True
        try:
            if scope["path"].startswith("/messages"):
                self._calls.expect(scope, record)
                await self._app(scope, receive, record.watch_refusal(send))
            else:
                await self._app(scope, receive, record.watch(send))
                # The answer never ended: nobody was there to take it.
                record.finish("abandoned")
        except asyncio.CancelledError:
            record.finish("abandoned")
            raise
        except Exception:
            record.finish("error")
            raise
        finally:
            request_id.reset(token)


async def _refuse_body(receive: Receive, send: Send) -> None:
    """Answers at once, and lets a client that reads only after it has written all come to read."""

    async def send_and_wait(part: Message) -> None:
        if part["type"] == "http.response.body":
            await send({**part, "more_body": True})
            await discard_body(receive)
            part = {"type": "http.response.body", "body": b""}
        await send(part)

    close = [(b"connection", b"close")]
    await send_error(send_and_wait, 413, -32600, f"a message may have {MAX_BODY} bytes", close)


async def _refuse(scope: Scope, send: Send, status: int, reason: str, headers: Headers | None = None) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
    else:
        await send_error(send, status, -32600, reason, headers)
