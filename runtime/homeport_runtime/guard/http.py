"""Implements the guard as ASGI middleware."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

from ..asgi import ASGIApp, Headers, Message, Receive, Scope, Send, header, send_error, send_json
from ..protocol.jsonrpc import INTERNAL_ERROR, INVALID_REQUEST, error, event, is_request_id
from ..protocol.messages import (
    MAX_BODY,
    MESSAGE,
    BodyTooLarge,
    ClientGoneError,
    calls_in,
    declared_length,
    decoded,
    discard_body,
    id_of_part,
    may_call,
    parse,
    peek_body,
    read_body,
    replay,
)
from ..protocol.probe import exchange
from ..relay.base import REFUSED_HEADERS, NotHandedOver, Posted, Relay
from ..telemetry import emit, request_id
from .access import Access
from .auth import OPEN_PATHS, WELL_KNOWN, authenticator, no_authorization, without_authorization
from .caller import CALLER
from .calls import BatchRecords, CallRecord
from .carried import Carried
from .cors import OPEN_TO_PAGES, OwnCORS, allowing, is_preflight
from .names import Names
from .open_calls import OpenCalls
from .open_streams import OpenStreams, Stream
from .paths import Paths
from .strangers import Strangers
from .streams import StreamCalls, session_of

TOO_LARGE = f"a message may have {MAX_BODY} bytes"
# The characters of an app's error that are sent on a stream.
MAX_TOLD = 500


class Counted:
    """Counts the requests within it: `open` now, and `ever`. It is no generator, for speed."""

    def __init__(self) -> None:
        self.open = 0
        self.ever = 0

    def __enter__(self) -> None:
        self.open += 1
        self.ever += 1

    def __exit__(self, *_error: object) -> None:
        self.open -= 1


class Guard:
    """Checks Host, Origin, token and size, parses each message once, and writes one record per tools/call.

    Everyone may call without `access`. `streams` are the open GET streams. `relay` is set where other processes may
    serve the project, too, and `open_calls` where a supervisor watches this one.
    """

    def __init__(self, app: ASGIApp, names: Names, access: Access | None = None) -> None:
        # Gets the grant of each caller that has signed in and lacked a scope.
        self.on_refused: Callable[[str], None] = lambda _grant: None
        self.authenticator = authenticator(access, self._refused)
        self._app = app if access is None else without_authorization(app)
        self._names = names
        self._cors = OwnCORS(self._app)
        self._strangers = Strangers()
        self.paths = Paths()
        self._calls = StreamCalls()
        self.streams = OpenStreams()
        self.relay: Relay | None = None
        self.open_calls: OpenCalls | None = None
        self._called = False
        self._counted = Counted()

    @property
    def open_requests(self) -> int:
        """Returns how many requests are being answered now."""
        return self._counted.open

    @property
    def served(self) -> int:
        """Returns how many requests there have been."""
        return self._counted.ever

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._counted:
            await self._check(scope, receive, send)

    def admit(self, access: Access) -> None:
        """Lets in whom `access` names, and nobody else from now on."""
        if self.authenticator is not None:
            self.authenticator = authenticator(access, self._refused)

    def _refused(self, grant: str) -> None:
        self.on_refused(grant)

    def take_used(self) -> list[str]:
        """Returns the hashes of the tokens that callers have shown since this was asked before."""
        return self.authenticator.take_used() if self.authenticator is not None else []

    async def deliver(self, posted: Posted) -> None:
        """Takes a message that was posted to another process, and checked by its guard, for a session that is open
        here.

        Its sender already has its 202, so an error is sent on the session's stream.
        """
        if posted.headers == REFUSED_HEADERS:
            await self._calls.say(session_of(posted.query), posted.body)
            return

        async def take(scope: Scope, receive: Receive, send: Send) -> None:
            await self._take(scope, await read_body(receive), receive, send)

        await self._calls.arrival(session_of(posted.query))
        try:
            with self._counted:
                status, _, answer = await exchange(
                    take, "POST", "/messages/", posted.headers, posted.body, posted.query
                )
            problem = answer.decode("utf-8", "replace")[:MAX_TOLD] or f"HTTP {status}"
        except Exception as raised:
            # The error's text is for the log, from which secrets are removed.
            status, problem = 500, "Internal Server Error"
            emit("error", f"POST /messages/: {type(raised).__name__}: {raised}")
        message = parse(posted.body)
        if status >= 400 and message is not None and is_request_id(message.get("id")):
            code = INTERNAL_ERROR if status >= 500 else INVALID_REQUEST
            await self._calls.say(session_of(posted.query), event(error(message["id"], code, problem)))

    def carry(self, give: Callable[[Carried], bool | None]) -> None:
        """Hands the HTTP+SSE streams on which nobody waits for an answer over to another worker (see
        StreamCalls.carry).
        """
        self._calls.carry(give)

    def announce(self, session: str) -> None:
        """Notes that another worker has handed over an HTTP+SSE session, which will continue here."""
        self._calls.announce(session)

    async def carry_on(self, carried: Carried, receive: Receive, send: Send) -> None:
        """Continues a stream that was announced."""
        with self._counted:
            await self._calls.carry_on(self._app, carried, receive, send, self.streams, self.deliver)

    async def _check(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] not in OPEN_PATHS and not self._names.allows_host(header(scope, b"host")):
            await _refuse(scope, send, 421, self._strangers.host(header(scope, b"host")))
            return
        if self.authenticator is not None and (document := self.authenticator.document(scope)) is not None:
            await send_json(send, 200, document, OPEN_TO_PAGES)
            return
        origin = header(scope, b"origin")
        if origin is not None and self._names.allows_foreign(origin):
            send = allowing(scope, origin, send)
        if is_preflight(scope) and (self.authenticator is None or scope["path"] in self.paths.mcp):
            # A preflight has no token and calls nothing: the app's own CORS decides who may call.
            await self._app(scope, replay(b"", receive), send)
            return
        is_known = self._is_known(scope)
        if origin is not None and not await self._allows_origin(scope, origin, is_known=is_known):
            await _refuse(scope, send, 403, self._strangers.origin(origin))
        elif not is_known:
            await self._challenge(scope, send)
        else:
            await self._pass(scope, receive, send)

    def _is_known(self, scope: Scope) -> bool:
        """Tells whether the sender of a request may call, and keeps in its scope who that is."""
        if self.authenticator is None or scope["path"] in OPEN_PATHS:
            return True
        scope[CALLER] = self.authenticator.caller(scope)
        return scope[CALLER] is not None

    async def _challenge(self, scope: Scope, send: Send) -> None:
        if self.authenticator is None:
            return
        if scope["path"].startswith(WELL_KNOWN):
            # A 401 here would tell clients that there is something to find out, and that headers of their own are
            # worth nothing.
            await _refuse(scope, send, 404, "this server wants a bearer token that its owner gives out")
            return
        await _refuse(scope, send, 401, "this server wants its bearer token", self.authenticator.unauthorized(scope))

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request that is allowed to the app."""
        path = scope["path"]
        if path in self.paths.streams and scope["type"] == "http":
            await self._calls.follow(self._app, scope, receive, send, self.streams, self.relay)
        elif path in self.paths.mcp and scope.get("method") == "GET":
            await self.streams.hold(self._app, scope, Stream(receive, send))
        elif self._takes_messages(path) and scope.get("method") == "POST":
            await self._message(scope, receive, send)
        elif may_call(scope):
            # An app of the user's own may have MCP at any path, and what else is posted there is not checked.
            body, receive = await peek_body(receive)
            await self._answer(scope, decoded(body) if body is not None else None, receive, send)
        else:
            await self._app(scope, receive, send)

    def _takes_messages(self, path: str) -> bool:
        return path in self.paths.mcp or self.paths.take_messages(path)

    def _is_posted(self, scope: Scope) -> bool:
        """Tells whether the request is a message of HTTP+SSE."""
        return scope["path"] not in self.paths.mcp and self.paths.take_messages(scope["path"])

    async def _allows_origin(self, scope: Scope, origin: str, *, is_known: bool) -> bool:
        if self._names.allows_origin(origin):
            return True
        # The app is only asked for callers that may use it.
        return is_known and scope["type"] == "http" and await self._cors.allows(scope, origin)

    async def _message(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if declared_length(scope) > MAX_BODY and not self._is_posted(scope):
                raise BodyTooLarge
            body = await read_body(receive)
        except BodyTooLarge as refused:
            if not self._is_posted(scope):
                await _refuse_body(refused, receive, send)
            elif not await self._refuse_posted(scope, refused, receive, send):
                await send_error(send, 413, INVALID_REQUEST, TOO_LARGE, [(b"connection", b"close")])
            return
        except ClientGoneError:
            return
        if self._is_posted(scope):
            try:
                relayed = await self._relayed(scope, body)
            except NotHandedOver as problem:
                message = parse(body) or {}
                is_told = problem.answered and await self._refuse_on_stream(
                    scope["query_string"], message.get("id"), INTERNAL_ERROR, str(problem)
                )
                await (_accept(send) if is_told else send_error(send, 503, INTERNAL_ERROR, str(problem)))
                return
            if relayed:
                await _accept(send)
                return
            await self._calls.arrival(session_of(scope["query_string"]))
        await self._take(scope, body, receive, send)

    async def _relayed(self, scope: Scope, body: bytes) -> bool:
        """Tells whether the message was for a session in another process, which has taken it."""
        query = scope["query_string"]
        if self.relay is None or self.has_session(query):
            return False
        # homeport's own token has been checked and is not passed on; any other is meant for the server itself.
        headers = no_authorization(scope["headers"]) if self.authenticator else scope["headers"]
        return await self.relay.pass_on(session_of(query), Posted(query, headers, body))

    def has_session(self, query: bytes) -> bool:
        """Tells whether the HTTP+SSE session that a message's query names is open here, or about to be."""
        return self.is_here(session_of(query))

    def is_here(self, session: str) -> bool:
        return self._calls.knows(session)

    async def _refuse_posted(self, scope: Scope, refused: BodyTooLarge, receive: Receive, send: Send) -> bool:
        """Sends an error on the session's stream for a message that is too large, and returns whether that was
        possible.

        Clients of mcp 1.x would wait for ever after an HTTP error. It is not possible if the message's id is not found,
        or no process has its session.
        """
        request_id = id_of_part(refused.start, b"" if refused.is_whole else await discard_body(receive))
        if not await self._refuse_on_stream(scope["query_string"], request_id, INVALID_REQUEST, TOO_LARGE):
            return False
        await _accept(send)
        return True

    async def _refuse_on_stream(self, query: bytes, request_id: object, code: int, reason: str) -> bool:
        """Says an error on the stream of the session that `query` names, here or in another process, and returns
        whether there is one.
        """
        if not is_request_id(request_id):
            return False
        session, answer = session_of(query), event(error(request_id, code, reason))
        if self.is_here(session):
            await self._calls.arrival(session)
            await self._calls.say(session, answer)
            return True
        if self.relay is None:
            return False
        try:
            return await self.relay.pass_on(session, Posted(query, REFUSED_HEADERS, answer))
        except NotHandedOver:
            return False

    async def _take(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        """Passes a message that is allowed to the app."""
        said = decoded(body)
        if self._is_posted(scope):
            send = self._calls.post(scope, body, said, send)
        await self._answer(scope, said, replay(body, receive), send)

    async def _answer(self, scope: Scope, said: object, receive: Receive, send: Send) -> None:
        """Passes a request to the app, and records its calls; `said` is the body decoded as JSON, None if it is not
        JSON.
        """
        if isinstance(said, dict):
            scope[MESSAGE] = said
        if calls := calls_in(said):
            await self._call(scope, calls, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _call(self, scope: Scope, calls: list[dict[str, Any]], receive: Receive, send: Send) -> None:
        request = os.urandom(8).hex()
        token = request_id.set(request)
        cold, self._called = not self._called, True
        records = [CallRecord(scope, call, request, cold, self.open_calls) for call in calls]
        record = records[0] if len(records) == 1 else BatchRecords(records)
        try:
            if self._is_posted(scope):
                for each in records:
                    self._calls.expect(scope, each)
                await self._app(scope, receive, record.watch_refusal(send))
            else:
                await self._app(scope, receive, record.watch(send))
                # The answer was not completed, because the client had left.
                record.finish("abandoned")
        except asyncio.CancelledError:
            record.finish("abandoned")
            raise
        except Exception:
            record.finish("error")
            raise
        finally:
            request_id.reset(token)


async def _accept(send: Send) -> None:
    """Answers a POST before its message is handled; errors are sent on the stream."""
    await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"8")]})
    await send({"type": "http.response.body", "body": b"Accepted"})


async def _refuse_body(refused: BodyTooLarge, receive: Receive, send: Send) -> None:
    """Answers at once, but keeps reading, for clients that read only after they have written everything."""

    async def send_and_wait(part: Message) -> None:
        if part["type"] == "http.response.body":
            await send({**part, "more_body": True})
            if not refused.is_whole:
                await discard_body(receive)
            part = {"type": "http.response.body", "body": b""}
        await send(part)

    close = [(b"connection", b"close")]
    await send_error(send_and_wait, 413, INVALID_REQUEST, TOO_LARGE, close)


async def _refuse(scope: Scope, send: Send, status: int, reason: str, headers: Headers | None = None) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
    else:
        await send_error(send, status, -32600, reason, headers)
