"""Implements the guard as ASGI middleware."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ..asgi import ASGIApp, Receive, Scope, Send, first_headers, send_json
from ..protocol.jsonrpc import INTERNAL_ERROR, INVALID_REQUEST, error, event, is_request_id
from ..protocol.messages import (
    MAX_BODY,
    MESSAGE,
    BodyTooLarge,
    ClientGoneError,
    declared_length,
    decoded,
    discard_body,
    id_of,
    id_of_part,
    may_call,
    parse,
    peek_body,
    read_body,
    replay,
)
from ..protocol.probe import exchange
from ..relay.base import REFUSED_HEADERS, NotHandedOver, Posted, Relay
from ..telemetry import emit
from .access import Access
from .address import ADDRESS, address_of
from .auth import OPEN_PATHS, ClientTokens, authenticator, no_authorization, without_authorization
from .bodies import BATCH, ENCODED, UNREADABLE, is_batch, is_encoded, read, rewritten
from .caller import CALLER
from .carried import Carried
from .cors import OPEN_TO_PAGES, OwnCORS, allowing, is_preflight
from .names import Names
from .open_streams import OpenStreams, Stream
from .passing import Passing
from .paths import Paths
from .refusals import (
    FORBIDDEN,
    TOO_LARGE,
    Refusal,
    accept,
    answering_at_once,
    dies_of_status,
    not_handed_over,
    send_refusal,
    unauthorized,
)
from .strangers import Strangers
from .streams import StreamCalls, session_of

if TYPE_CHECKING:
    from .judge import Judge

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
    """Checks Host, Origin, token and size, parses each message once, and has it judged before it is passed on.

    Everyone may call without `access`, and whoever may call may call everything without `judge`. `streams` are the open
    GET streams, and `passing` records what is passed on. `relay` is set where other processes may serve the project,
    too.
    """

    def __init__(self, app: ASGIApp, names: Names, access: Access | None = None, judge: Judge | None = None) -> None:
        # Gets the grant of each caller that has signed in and lacked a scope, None for a token with an unknown key.
        self.on_refused: Callable[[str | None], None] = lambda _grant: None
        self.authenticator = authenticator(access, self._refused)
        self._judge = judge
        # Messages, which are most of all, have lost the token before they come to the app.
        self._app = app if access is None else without_authorization(app)
        self._names = names
        self._cors = OwnCORS(self._app)
        self._strangers = Strangers()
        self.paths = Paths()
        self._calls = StreamCalls()
        self.passing = Passing(app, self._calls, judge)
        self.streams = OpenStreams()
        self.relay: Relay | None = None
        self._counted = Counted()

    @property
    def _is_guarded(self) -> bool:
        return self._judge is not None or self.authenticator is not None

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

    def _refused(self, grant: str | None) -> None:
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
            body = await read_body(receive)
            await self._take(scope, body, decoded(body), receive, send)

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
        headers = first_headers(scope)
        host, origin = _text(headers.get(b"host")), _text(headers.get(b"origin"))
        if scope["path"] not in OPEN_PATHS and not self._names.allows_host(host):
            await self._refuse(scope, send, Refusal(421, "unknown_host", self._strangers.host(host, self._names.place)))
            return
        if self.authenticator is not None and (document := self.authenticator.document(scope)) is not None:
            await send_json(send, 200, document, OPEN_TO_PAGES)
            return
        if origin is not None and self._names.allows_foreign(origin):
            send = allowing(scope, origin, send)
        if is_preflight(scope) and (self.authenticator is None or scope["path"] in self.paths.mcp):
            # A preflight has no token and calls nothing: the app's own CORS decides who may call.
            await self._app(scope, replay(b"", receive), send)
            return
        is_known = self._is_known(scope)
        if origin is not None and not await self._allows_origin(scope, origin, is_known=is_known):
            detail = self._strangers.origin(origin)
            await self._refuse(scope, send, Refusal(403, "unknown_origin", detail, FORBIDDEN, "Forbidden"))
        elif not is_known and self.authenticator is not None:
            request_id = await self._id_for_stream(scope, receive)
            await self._refuse(scope, send, unauthorized(scope, self.authenticator), request_id)
        else:
            await self._pass(scope, headers, receive, send)

    async def _id_for_stream(self, scope: Scope, receive: Receive) -> object:
        """Returns the id of a message of HTTP+SSE whose sender is not known, None if it is answered with a status.

        Who can name a session that is open here has opened it, with a token that has ended meanwhile: its call would
        wait for ever. Clients that have signed in get the status, by which they get another token.
        """
        if not isinstance(self.authenticator, ClientTokens) or not self._is_posted(scope):
            return None
        if scope["type"] != "http" or not self.has_session(scope["query_string"]):
            return None
        try:
            return id_of(decoded(await read_body(receive)))
        except (BodyTooLarge, ClientGoneError):
            return None

    def _is_known(self, scope: Scope) -> bool:
        """Tells whether the sender of a request may call, and keeps in its scope who that is."""
        if self.authenticator is None or scope["path"] in OPEN_PATHS:
            return True
        scope[CALLER] = self.authenticator.caller(scope)
        return scope[CALLER] is not None

    async def _pass(self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, send: Send) -> None:
        """Passes a request that is allowed to the app."""
        path = scope["path"]
        if self._judge is not None and is_encoded(headers):
            await self._refuse(scope, send, ENCODED)
            return
        if path in self.paths.streams and scope["type"] == "http" and scope["method"] != "POST":
            await self._calls.follow(self._app, scope, receive, send, self.streams, self.relay)
        elif path in self.paths.mcp and scope.get("method") == "GET":
            await self.streams.hold(self._app, scope, Stream(receive, send))
        elif self._takes_messages(path) and scope.get("method") == "POST":
            await self._message(scope, headers, receive, send)
        elif may_call(scope):
            await self._elsewhere(scope, receive, send)
        elif self._judge is not None and scope["type"] == "websocket":
            # Nobody judges what comes over it.
            await send({"type": "websocket.close", "code": 1008})
        elif self._judge is not None and scope.get("method") == "POST":
            await self._elsewhere(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _elsewhere(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what is posted to another path: an app of the user's own may have MCP at any."""
        body, receive = await peek_body(receive)
        said, is_plain = self._read(body) if body is not None else (None, False)
        if self._judge is not None and may_call(scope) and said is None and body != b"":
            # Whatever the app could read in it, nobody has judged it.
            await self._refuse(scope, send, UNREADABLE if body is not None else TOO_LARGE)
            return
        if body is not None and self._is_guarded and (is_batch(said) or (isinstance(said, dict) and "method" in said)):
            refused, body = await self._judged(scope, said, body, is_plain=is_plain)
            if refused is not None:
                await self._refuse(scope, send, refused, id_of(said))
                return
            receive = replay(body, receive)
        await self._answer(scope, said, len(body or b""), receive, send)

    def _read(self, body: bytes) -> tuple[object, bool]:
        """Returns a body decoded as JSON, and whether it may be passed on as it is once that was judged."""
        return read(body) if self._judge is not None else (decoded(body), True)

    async def _judged(self, scope: Scope, said: object, body: bytes, *, is_plain: bool) -> tuple[Refusal | None, bytes]:
        """Returns why a message may not be passed on, None if it may, and the body that is passed on."""
        if isinstance(said, dict):
            scope[MESSAGE] = said
        if is_batch(said):
            return BATCH, body
        if self._judge is None:
            return None, body
        if not isinstance(said, dict):
            return UNREADABLE, body
        if scope.get(CALLER) is None:
            scope[ADDRESS] = address_of(scope, self._names)
        refused = await self._judge.refusal(scope, said, self.authenticator)
        return refused, body if is_plain or refused is not None else rewritten(scope, said)

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

    async def _message(self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, send: Send) -> None:
        try:
            if declared_length(headers) > MAX_BODY and not self._needs_id(scope):
                raise BodyTooLarge
            body = await read_body(receive)
        except BodyTooLarge as refused:
            if self._needs_id(scope):
                request_id = id_of_part(refused.start, b"" if refused.is_whole else await discard_body(receive))
                await self._refuse(scope, send, TOO_LARGE, request_id)
            else:
                await self._refuse(scope, answering_at_once(refused, receive, send), TOO_LARGE)
            return
        except ClientGoneError:
            return
        said, is_plain = self._read(body)
        if self._is_guarded:
            refusal, body = await self._judged(scope, said, body, is_plain=is_plain)
            if refusal is not None:
                await self._refuse(scope, send, refusal, id_of(said))
                return
        if self._is_posted(scope):
            try:
                relayed = await self._relayed(scope, body)
            except NotHandedOver as problem:
                await self._refuse(scope, send, not_handed_over(problem), id_of(said), is_there=problem.answered)
                return
            if relayed:
                await accept(send)
                return
            await self._calls.arrival(session_of(scope["query_string"]))
        await self._take(scope, body, said, receive, send)

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

    def _needs_id(self, scope: Scope) -> bool:
        """Tells whether the sender of a message survives its refusal only if that names the message."""
        return self._is_posted(scope) or dies_of_status(scope)

    async def _refuse(
        self, scope: Scope, send: Send, refusal: Refusal, request_id: object = None, *, is_there: bool = True
    ) -> None:
        """Refuses a request: a message of HTTP+SSE by an event on its session's stream, since its sender would wait for
        ever after an HTTP error.

        That is not possible if the message's id is not found, or if no process has its session and answers
        (`is_there`).
        """
        if self.passing.audit is not None:
            self.passing.audit.refusal(scope, refusal)
        if self.passing.operations is not None:
            self.passing.operations.refusal(scope, refusal)
        posted = is_there and self._is_posted(scope)
        is_told = posted and await self._refuse_on_stream(scope["query_string"], request_id, refusal)
        await (accept(send) if is_told else send_refusal(scope, send, refusal, request_id))

    async def _refuse_on_stream(self, query: bytes, request_id: object, refusal: Refusal) -> bool:
        """Says an error on the stream of the session that `query` names, here or in another process, and returns
        whether there is one.
        """
        if not is_request_id(request_id):
            return False
        session, answer = session_of(query), event(refusal.error(request_id))
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

    async def _take(self, scope: Scope, body: bytes, said: object, receive: Receive, send: Send) -> None:
        """Passes a message that is allowed to the app."""
        if self._is_posted(scope):
            send = self._calls.post(scope, body, said, send)
        await self._answer(scope, said, len(body), replay(body, receive), send)

    async def _answer(self, scope: Scope, said: object, size: int, receive: Receive, send: Send) -> None:
        """Passes a request to the app; `said` is its body of `size` bytes decoded as JSON, None if it is not JSON."""
        if isinstance(said, dict):
            scope[MESSAGE] = said
        if self.authenticator is not None:
            scope["headers"] = no_authorization(scope["headers"])
        if self.passing.audit is not None and self.passing.audit.must_wait(said):
            await self._refuse(scope, send, self.passing.audit.no_room, id_of(said))
        else:
            await self.passing.pass_on(scope, said, size, receive, send, is_posted=self._is_posted(scope))


def _text(value: bytes | None) -> str | None:
    return value.decode("latin-1") if value is not None else None
