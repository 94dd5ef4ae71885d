"""Brings messages of HTTP+SSE to the process in which the stream of their session is open, and says there what is wrong
with one.
"""

from __future__ import annotations

from ..asgi import ASGIApp, Headers
from ..protocol.jsonrpc import INTERNAL_ERROR, INVALID_REQUEST, error, event, is_request_id
from ..protocol.messages import parse
from ..protocol.probe import exchange
from ..relay.base import REFUSED_HEADERS, NotHandedOver, Posted, Relay
from ..telemetry import emit
from .refusals import Refusal
from .streams import StreamCalls, session_of

# The characters of an app's error that are sent on a stream.
MAX_TOLD = 500


class Sessions:
    """Knows where sessions are: here, if their stream is one of `calls`, else in another process by `relay`, which is
    set where there may be others. `take` passes on what was posted for a session that is here.
    """

    def __init__(self, calls: StreamCalls, take: ASGIApp) -> None:
        self._calls = calls
        self._take = take
        self.relay: Relay | None = None

    def is_here(self, session: str) -> bool:
        """Tells whether the session is open here, or about to be."""
        return self._calls.knows(session)

    def has(self, query: bytes) -> bool:
        """Tells whether the session that a message's query names is open here, or about to be."""
        return self.is_here(session_of(query))

    async def hand_over(self, query: bytes, headers: Headers, body: bytes) -> bool:
        """Tells whether a message was for a session in another process, which has taken it.

        Raises NotHandedOver if it has the session and the message cannot be transferred.
        """
        if self.relay is None or self.has(query):
            return False
        return await self.relay.pass_on(session_of(query), Posted(query, headers, body))

    async def deliver(self, posted: Posted) -> None:
        """Takes a message that was posted to another process, and checked by its guard, for a session that is open
        here.

        Its sender already has its 202, so an error is sent on the session's stream.
        """
        session = session_of(posted.query)
        if posted.headers == REFUSED_HEADERS:
            await self._calls.say(session, posted.body)
            return
        await self._calls.arrival(session)
        try:
            status, _, answer = await exchange(
                self._take, "POST", "/messages/", posted.headers, posted.body, posted.query
            )
            problem = answer.decode("utf-8", "replace")[:MAX_TOLD] or f"HTTP {status}"
        except Exception as raised:
            # The error's text is for the log, from which secrets are removed.
            status, problem = 500, "Internal Server Error"
            emit("error", f"POST /messages/: {type(raised).__name__}: {raised}")
        message = parse(posted.body)
        if status >= 400 and message is not None and is_request_id(message.get("id")):
            code = INTERNAL_ERROR if status >= 500 else INVALID_REQUEST
            await self._calls.say(session, event(error(message["id"], code, problem)))

    async def say_refusal(self, query: bytes, request_id: object, refusal: Refusal) -> bool:
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
