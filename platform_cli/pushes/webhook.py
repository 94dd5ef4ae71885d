"""Receives GitHub's deliveries, which their signature authenticates.

It is plain ASGI: on AWS most deliveries come to a function that is just starting, and a framework's import takes longer
than an answer may.
"""

from __future__ import annotations

from homeport_runtime.asgi import Receive, Scope, Send, header, send_json

from ..api.failure import error_answer
from ..errors import HomeportError, InputError, PlatformError
from ..github.webhook import MAX_BODY
from .deliveries import Deliveries

UNKNOWN = "the signature is not that of a linked repository"


class Webhook:
    """Answers 202 once the work that a delivery starts is on disk."""

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries = deliveries

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._answer(scope, receive, send)
        except HomeportError as error:
            await _refuse(send, 503, error.message)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        deliveries = self._deliveries
        hook_id = header(scope, b"x-github-hook-id") or ""
        is_number = hook_id.isascii() and hook_id.isdigit() and len(hook_id) < 19
        known = deliveries.known(int(hook_id)) if is_number and scope["method"] == "POST" else []
        if not known:
            # The body of an unknown sender is not even read.
            return await _refuse(send, 401, UNKNOWN)
        body = await _received(scope, receive)
        if body is None:
            return await _refuse(send, 413, f"a delivery may have {MAX_BODY // 1024**2} MB")
        sender = deliveries.sender(known, body, header(scope, b"x-hub-signature-256"))
        if sender is None:
            return await _refuse(send, 401, UNKNOWN)
        delivery = header(scope, b"x-github-delivery") or ""
        if not delivery or len(delivery) > 100:
            return await _refuse(send, 400, "X-GitHub-Delivery is missing")
        try:
            projects = deliveries.receive(sender, delivery, header(scope, b"x-github-event") or "", body)
        except ValueError as error:
            return await _refuse(send, 400, str(error))
        return await send_json(send, 202, {"deploying": projects})


async def _refuse(send: Send, status: int, message: str) -> None:
    error = InputError(message) if status < 500 else PlatformError(message)
    await send_json(send, status, error_answer(error), [(b"connection", b"close")])


async def _received(scope: Scope, receive: Receive) -> bytes | None:
    """Returns the body, None if it is larger than GitHub's deliveries are."""
    length = header(scope, b"content-length") or ""
    if length.isdigit() and int(length) > MAX_BODY:
        return None
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY or message["type"] == "http.disconnect":
            return None
        more = message.get("more_body", False)
    return bytes(body)
