"""Implements the guard as ASGI middleware."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from ..asgi import ASGIApp, Receive, Scope, Send, first_headers, send_json
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
    peek_body,
    read_body,
    replay,
)
from ..relay.base import NotHandedOver
from .access import Access
from .address import ADDRESS, address_of
from .auth import ClientTokens, no_authorization, without_authorization
from .bodies import BATCH, ENCODED, UNREADABLE, is_batch, is_encoded, read, rewritten
from .carried import Carried
from .cors import OPEN_TO_PAGES, allowing, is_preflight
from .entrance import Entrance
from .names import Names
from .open_streams import OpenStreams, Stream
from .passing import Passing
from .paths import Paths
from .refusals import (
    TOO_LARGE,
    Refusal,
    accept,
    answering_at_once,
    dies_of_status,
    not_handed_over,
    send_refusal,
    unauthorized,
)
from .sessions import Sessions
from .streams import StreamCalls, session_of

if TYPE_CHECKING:
    from .judge import Judge


class Guard:
    """Lets requests in by Host, Origin and token, parses each message once, and has it judged before it is passed on.

    Everyone may call without `access`, and whoever may call may call everything without `judge`. `streams` are the open
    GET streams, and `passing` records what is passed on. `open_requests` are being answered now, and `served` is how
    many requests there have been.
    """

    def __init__(self, app: ASGIApp, names: Names, access: Access | None = None, judge: Judge | None = None) -> None:
        # Messages, which are most of all, have lost the token before they come to the app.
        self._app = app if access is None else without_authorization(app)
        self._names = names
        self._judge = judge
        self._is_guarded = judge is not None or access is not None
        self.entrance = Entrance(self._app, names, access)
        self.paths = Paths()
        self.streams = OpenStreams()
        self._calls = StreamCalls()
        self.sessions = Sessions(
            self._calls, lambda scope, receive, send: self._counted(self._take_delivered(scope, receive, send))
        )
        self.passing = Passing(app, self._calls, judge)
        self.open_requests = 0
        self.served = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._counted(self._check(scope, receive, send))

    async def _counted(self, answering: Awaitable[None]) -> None:
        self.open_requests += 1
        self.served += 1
        try:
            await answering
        finally:
            self.open_requests -= 1

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
        deliver = self.sessions.deliver
        await self._counted(self._calls.carry_on(self._app, carried, receive, send, self.streams, deliver))

    async def _check(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request in, or refuses it."""
        headers, path = first_headers(scope), scope["path"]
        if self._judge is not None or self.passing.audit is not None:
            scope[ADDRESS] = address_of(scope, headers, self._names)
        if (refused := self.entrance.host_refusal(path, headers.get(b"host"))) is not None:
            await self._refuse(scope, send, refused)
            return
        if (document := self.entrance.document(scope)) is not None:
            await send_json(send, 200, document, OPEN_TO_PAGES)
            return
        origin = headers[b"origin"].decode("latin-1") if b"origin" in headers else None
        if origin is not None and self._names.allows_foreign(origin):
            send = allowing(scope, origin, send)
        authenticator = self.entrance.authenticator
        if is_preflight(scope) and (authenticator is None or path in self.paths.mcp):
            # A preflight has no token and calls nothing: the app's own CORS decides who may call.
            await self._app(scope, replay(b"", receive), send)
            return
        is_known = self.entrance.knows(scope)
        if origin is not None and (refused := await self.entrance.origin_refusal(scope, origin, is_known=is_known)):
            await self._refuse(scope, send, refused)
        elif not is_known and authenticator is not None:
            request_id = await self._id_for_stream(scope, receive)
            await self._refuse(scope, send, unauthorized(scope, authenticator), request_id)
        elif self._judge is not None and is_encoded(headers):
            await self._refuse(scope, send, ENCODED)
        elif scope.get("method") == "POST" and self.paths.take_messages(path):
            await self._message(scope, headers, receive, send)
        else:
            await self._pass(scope, receive, send)

    async def _id_for_stream(self, scope: Scope, receive: Receive) -> object:
        """Returns the id of a message of HTTP+SSE whose sender is not known, None if it is answered with a status.

        Who can name a session that is open here has opened it, with a token that has ended meanwhile: its call would
        wait for ever. Clients that have signed in get the status, by which they get another token.
        """
        if not isinstance(self.entrance.authenticator, ClientTokens) or not self.paths.are_posted(scope["path"]):
            return None
        if scope["type"] != "http" or not self.sessions.has(scope["query_string"]):
            return None
        try:
            return id_of(decoded(await read_body(receive)))
        except (BodyTooLarge, ClientGoneError):
            return None

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on a request that is allowed, and is no message at a path of MCP."""
        path = scope["path"]
        if path in self.paths.streams and scope["type"] == "http" and scope["method"] != "POST":
            await self._calls.follow(self._app, scope, receive, send, self.streams, self.sessions.relay)
        elif path in self.paths.mcp and scope.get("method") == "GET":
            await self.streams.hold(self._app, scope, Stream(receive, send))
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
        said, is_plain = self._read(scope, body) if body is not None else (None, False)
        if self._judge is not None and may_call(scope) and said is None and body != b"":
            # Whatever the app could read in it, nobody has judged it.
            await self._refuse(scope, send, UNREADABLE if body is not None else TOO_LARGE)
            return
        if body is not None and self._is_guarded and (is_batch(said) or (isinstance(said, dict) and "method" in said)):
            if self._judge is not None and isinstance(said, dict):
                refused = await self._judge.refusal(scope, said, self.entrance.authenticator)
            else:
                refused = self._unfit(said)
            if refused is not None:
                await self._refuse(scope, send, refused, id_of(said))
                return
            if not is_plain and isinstance(said, dict):
                body = rewritten(scope, said)
            receive = replay(body, receive)
        await self._answer(scope, said, len(body or b""), receive, send)

    async def _message(self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, send: Send) -> None:
        """Passes on what is posted to a path of MCP, or refuses it."""
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
        said, is_plain = self._read(scope, body)
        if self._is_guarded:
            if self._judge is not None and isinstance(said, dict):
                refusal = await self._judge.refusal(scope, said, self.entrance.authenticator)
            else:
                refusal = self._unfit(said)
            if refusal is not None:
                await self._refuse(scope, send, refusal, id_of(said))
                return
            if not is_plain and isinstance(said, dict):
                body = rewritten(scope, said)
        if self.paths.are_posted(scope["path"]):
            await self._post(scope, body, said, receive, send)
        else:
            await self._answer(scope, said, len(body), replay(body, receive), send)

    def _read(self, scope: Scope, body: bytes) -> tuple[object, bool]:
        """Returns a body decoded as JSON, and whether it may be passed on as it is once that was judged; a message is
        kept in the scope.
        """
        said, is_plain = read(body) if self._judge is not None else (decoded(body), True)
        if isinstance(said, dict):
            scope[MESSAGE] = said
        return said, is_plain

    def _unfit(self, said: object) -> Refusal | None:
        """Returns why nobody can judge what a body says, None if it is one message."""
        if is_batch(said):
            return BATCH
        return None if self._judge is None or isinstance(said, dict) else UNREADABLE

    async def _post(self, scope: Scope, body: bytes, said: object, receive: Receive, send: Send) -> None:
        """Passes a message of HTTP+SSE on to the process in which its session is open."""
        query = scope["query_string"]
        # homeport's own token has been checked and is not passed on; any other is meant for the server itself.
        headers = no_authorization(scope["headers"]) if self.entrance.authenticator else scope["headers"]
        try:
            is_taken = await self.sessions.hand_over(query, headers, body)
        except NotHandedOver as problem:
            await self._refuse(scope, send, not_handed_over(problem), id_of(said), is_there=problem.answered)
            return
        if is_taken:
            await accept(send)
            return
        await self._calls.arrival(session_of(query))
        send = self._calls.post(scope, body, said, send)
        await self._answer(scope, said, len(body), replay(body, receive), send)

    async def _take_delivered(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on a message that another process's guard has let in."""
        scope[ADDRESS] = address_of(scope, first_headers(scope), self._names)
        body = await read_body(receive)
        said, _ = self._read(scope, body)
        send = self._calls.post(scope, body, said, send)
        await self._answer(scope, said, len(body), replay(body, receive), send)

    def _needs_id(self, scope: Scope) -> bool:
        """Tells whether the sender of a message survives its refusal only if that names the message."""
        return self.paths.are_posted(scope["path"]) or dies_of_status(scope)

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
        is_told = (
            is_there
            and self.paths.are_posted(scope["path"])
            and await self.sessions.say_refusal(scope["query_string"], request_id, refusal)
        )
        await (accept(send) if is_told else send_refusal(scope, send, refusal, request_id))

    async def _answer(self, scope: Scope, said: object, size: int, receive: Receive, send: Send) -> None:
        """Passes a request to the app; `said` is its body of `size` bytes decoded as JSON, None if it is not JSON."""
        if self.entrance.authenticator is not None:
            scope["headers"] = no_authorization(scope["headers"])
        audit = self.passing.audit
        if audit is not None and audit.must_wait(said):
            await self._refuse(scope, send, audit.no_room, id_of(said))
        else:
            is_posted = self.paths.are_posted(scope["path"])
            await self.passing.pass_on(scope, said, size, receive, send, is_posted=is_posted)
