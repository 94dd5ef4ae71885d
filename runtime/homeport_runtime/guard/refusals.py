"""Answers what the platform itself refuses: one form of error, and for each transport the way that its clients survive.

An HTTP status from 400 on ends the session of every client of mcp 1.x, which sends the User-Agent of httpx, and lets
the call of a client of HTTP+SSE wait for ever.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..asgi import Headers, Message, Receive, Scope, Send, header, send_json
from ..protocol.jsonrpc import INVALID_REQUEST, RPC, SERVER_ERROR, error, is_request_id
from ..protocol.messages import MAX_BODY, BodyTooLarge, discard_body
from ..relay.base import NotHandedOver
from .auth import WELL_KNOWN, Authenticator
from .caller import CALLER

# A code that servers had before 2026-07-28 reserved it (basic, "Error Codes"); `data.reason` tells cases apart.
FORBIDDEN = -32001
# The beginning of the User-Agent of clients of mcp 1.x.
MCP_1 = "python-httpx/"


# Where clients of 2025-03-26 look for an authorization server that has no metadata (basic/authorization, "Fallbacks for
# Servers without Metadata Discovery").
UNFOUND = ("/authorize", "/token", "/register")
# When a message that could not be handed over may be sent again.
RETRY_MS = 1000


@dataclass(frozen=True)
class Refusal:
    """Is why a request is not passed on, or not answered by the server.

    `message` names the kind of error, `detail` says what happened, for people, and `reason` is one word for programs.
    `retry_after_ms` is when the same request may succeed, if that is known; `more` are further members of the error's
    data.
    """

    status: int
    reason: str
    detail: str
    code: int = INVALID_REQUEST
    message: str = "Invalid request"
    retryable: bool = False
    retry_after_ms: int | None = None
    headers: Headers = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)

    def error(self, request_id: object) -> RPC:
        """Returns the JSON-RPC error for the request of that id."""
        after = {} if self.retry_after_ms is None else {"retry_after_ms": self.retry_after_ms}
        data = {"detail": self.detail, "retryable": self.retryable, **after, **self.more, "reason": self.reason}
        return error(request_id if is_request_id(request_id) else None, self.code, self.message, data)

    @property
    def all_headers(self) -> Headers:
        if self.retry_after_ms is None:
            return self.headers
        return [*self.headers, (b"retry-after", b"%d" % -(-self.retry_after_ms // 1000))]


async def send_refusal(scope: Scope, send: Send, refusal: Refusal, request_id: object) -> None:
    """Answers a request with a refusal, over HTTP."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    status, headers = refusal.status, refusal.all_headers
    if is_request_id(request_id) and dies_of_status(scope):
        status, headers = 200, [(name, value) for name, value in headers if name != b"www-authenticate"]
    await send_json(send, status, refusal.error(request_id), headers)


def dies_of_status(scope: Scope) -> bool:
    """Tells whether an HTTP error would end the caller's session; clients that got their token by OAuth handle it."""
    caller = scope.get(CALLER)
    by_oauth = caller is not None and caller.by_oauth
    return not by_oauth and (header(scope, b"user-agent") or "").startswith(MCP_1)


def unauthorized(scope: Scope, authenticator: Authenticator) -> Refusal:
    """Returns the refusal of a request of which nobody knows who sends it."""
    if scope["path"].startswith(WELL_KNOWN) or scope["path"] in UNFOUND:
        # A 401 here would tell clients that there is something to find out, and that headers of their own are worth
        # nothing.
        return Refusal(404, "not_found", "callers of this server get a token from its owner")
    challenge = authenticator.unauthorized(scope)
    return Refusal(
        401, "invalid_token", "this server wants its bearer token", message="Unauthorized", headers=challenge
    )


async def accept(send: Send) -> None:
    """Answers a POST of HTTP+SSE before its message is handled; errors are sent on the stream."""
    await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"8")]})
    await send({"type": "http.response.body", "body": b"Accepted"})


def answering_at_once(refused: BodyTooLarge, receive: Receive, send: Send) -> Send:
    """Returns a `send` that answers at once, but keeps reading, for clients that read only after they have written
    everything.
    """

    async def send_and_wait(part: Message) -> None:
        if part["type"] == "http.response.body":
            await send({**part, "more_body": True})
            if not refused.is_whole:
                await discard_body(receive)
            part = {"type": "http.response.body", "body": b""}
        await send(part)

    return send_and_wait


def not_handed_over(problem: NotHandedOver) -> Refusal:
    return Refusal(
        503, "unavailable", str(problem), SERVER_ERROR, "Server unavailable", retryable=True, retry_after_ms=RETRY_MS
    )


TOO_LARGE = Refusal(
    413,
    "too_large",
    f"a message may have {MAX_BODY} bytes",
    message="Message too large",
    headers=[(b"connection", b"close")],
)
