"""Reads JSON-RPC messages from HTTP requests, and encodes those of answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ..asgi import Headers, Receive, Scope, header
from ..compact_json import encoder
from .messages import MESSAGE, read_body

# A decoded JSON-RPC message (https://www.jsonrpc.org/specification).
RPC = dict[str, Any]

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR = -32700, -32600, -32601, -32602, -32603
# A code that servers had before 2026-07-28 reserved it (basic, "Error Codes").
SERVER_ERROR = -32000

# The protocol revisions that begin with initialize, oldest first; the names sort by age.
HANDSHAKE_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")

EVENT_STREAM = b"text/event-stream"
# The headers that the SDKs send, so that no proxy keeps or changes the stream.
SSE_HEADERS: Headers = [
    (b"content-type", EVENT_STREAM),
    (b"cache-control", b"no-cache, no-transform"),
    (b"connection", b"keep-alive"),
    (b"x-accel-buffering", b"no"),
]
KEEP_ALIVE = b": ping\r\n\r\n"


_ENCODE = encoder(ensure_ascii=True)


def encode(message: Mapping[str, Any]) -> bytes:
    """Encodes a message as one line of ASCII, without a newline in it, so that any program can read it."""
    return _ENCODE(message).encode()


def event(message: Mapping[str, Any]) -> bytes:
    return b"event: message\r\ndata: " + encode(message) + b"\r\n\r\n"


def messages_in(body: bytes) -> Iterator[RPC]:
    """Yields the messages of an answer, or of a part of one; what is no message is skipped.

    They are in the data lines of an event stream, else the body is JSON, which may be an array of them.
    """
    lines = [line[5:] for line in body.split(b"\n") if line.startswith(b"data:")]
    for document in lines or [body]:
        try:
            said = json.loads(document)
        except (ValueError, RecursionError):
            continue
        yield from (each for each in (said if isinstance(said, list) else [said]) if isinstance(each, dict))


def error(request_id: object, code: int, message: str, data: object = None) -> RPC:
    body: RPC = {"code": code, "message": message}
    if data is not None:
        body["data"] = data
    return {"jsonrpc": "2.0", "id": request_id, "error": body}


def failure(request_id: object, reason: str, detail: str, retry_after_ms: int | None = None) -> RPC:
    """Returns the error for what fails beneath a server, and may be tried again.

    It has the form of all that the platform itself answers (see guard.refusals): `reason` is a word for programs,
    `detail` a sentence for people.
    """
    after = {} if retry_after_ms is None else {"retry_after_ms": retry_after_ms}
    data = {"detail": detail, "retryable": True, **after, "reason": reason}
    return error(request_id, SERVER_ERROR, "Server error", data)


def is_request_id(value: object) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool)


def meta_of(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the message's `params._meta`, empty if it has none."""
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    return meta if isinstance(meta, dict) else {}


def accepted(scope: Scope) -> tuple[bool, bool, bool]:
    """Tells whether the Accept header allows JSON, whether it allows an event stream, and whether it
    names the stream.
    """
    types = [part.split(";")[0].strip().lower() for part in (header(scope, b"accept") or "*/*").split(",")]
    anything = "*/*" in types
    as_json = anything or "application/json" in types or "application/*" in types
    by_name = "text/event-stream" in types or "text/*" in types
    return as_json, anything or by_name, by_name


async def read_json(scope: Scope, receive: Receive) -> Any:
    """Returns the decoded body, which `scope["homeport.message"]` holds if the guard has parsed it.

    Raises ValueError if it is not JSON, and ClientGoneError if the client leaves before it is complete.
    """
    if scope.get(MESSAGE) is not None:
        return scope[MESSAGE]
    try:
        return json.loads(await read_body(receive))
    except RecursionError:
        raise ValueError("nested too deeply") from None


async def disconnected(receive: Receive) -> None:
    """Returns when the client leaves."""
    while (await receive())["type"] != "http.disconnect":
        pass
