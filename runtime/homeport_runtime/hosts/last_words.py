"""Answers calls that the end of a worker breaks off, so that their callers need not guess what became of them."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from ..asgi import send_json
from ..guard.refusals import dies_of_status
from ..protocol.jsonrpc import event, failure, is_request_id
from ..protocol.messages import MESSAGE

# When the same call may be made again, in milliseconds: another worker serves by then.
RETRY_MS = 1000
DETAIL = "the server was replaced while it worked on this, and could not wait longer for the answer"


def last_answer(cycle: Any) -> Awaitable[None] | None:
    """Returns what answers the request of uvicorn's `cycle` in the app's place, None if nothing can be answered."""
    if cycle is None or cycle.response_complete or cycle.disconnected:
        return None
    message = cycle.scope.get(MESSAGE)
    request_id = message.get("id") if isinstance(message, dict) else None
    if not is_request_id(request_id):
        return None
    error = failure(request_id, "draining", DETAIL, RETRY_MS)
    if not cycle.response_started:
        status = 200 if dies_of_status(cycle.scope) else 503
        return send_json(cycle.send, status, error, [(b"retry-after", b"1"), (b"connection", b"close")])
    # An answer that has begun is an event stream: JSON is sent at once.
    return cycle.send({"type": "http.response.body", "body": event(error), "more_body": False})  # type: ignore[no-any-return]
