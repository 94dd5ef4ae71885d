"""JSON-RPC messages over HTTP: what is read from a request, and the bytes of an answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ..asgi import Headers, Receive, Scope, header
from .messages import MESSAGE, read_body

# One JSON-RPC message (https://www.jsonrpc.org/specification), decoded.
RPC = dict[str, Any]

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR = -32700, -32600, -32601, -32602, -32603

# The protocol revisions that begin with initialize, oldest first; the names sort by age.
HANDSHAKE_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")

EVENT_STREAM = b"text/event-stream"
# What the SDKs send: a proxy in between must neither keep nor change the stream.
SSE_HEADERS: Headers = [
    (b"content-type", EVENT_STREAM),
    (b"cache-control", b"no-cache, no-transform"),
    (b"connection", b"keep-alive"),
    (b"x-accel-buffering", b"no"),
]
KEEP_ALIVE = b": ping\r\n\r\n"


def encode(message: Mapping[str, Any]) -> bytes:
    """One line without a newline in it, ASCII, so that any program can read it."""
    return json.dumps(message, separators=(",", ":")).encode()


def event(message: Mapping[str, Any]) -> bytes:
    return b"event: message\r\ndata: " + encode(message) + b"\r\n\r\n"


def messages_in(body: bytes) -> Iterator[RPC]:
    """The messages of an answer, or of a part of one: the data lines of an event stream, else the body as JSON, which
    may be an array of them. What is no message is passed over.
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


def is_request_id(value: object) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool)


def meta_of(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """The message's `params._meta`, empty if it has none."""
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    return meta if isinstance(meta, dict) else {}


def accepted(scope: Scope) -> tuple[bool, bool, bool]:
    """Whether the Accept header allows JSON and an event stream, and whether it asks for the stream by name."""
    types = [part.split(";")[0].strip().lower() for part in (header(scope, b"accept") or "*/*").split(",")]
    anything = "*/*" in types
    as_json = anything or "application/json" in types or "application/*" in types
    by_name = "text/event-stream" in types or "text/*" in types
    return as_json, anything or by_name, by_name


async def read_json(scope: Scope, receive: Receive) -> Any:
    """The body, decoded; `scope["homeport.message"]` is the guard's work. Raises ValueError, ClientGoneError."""
    if scope.get(MESSAGE) is not None:
        return scope[MESSAGE]
    try:
        return json.loads(await read_body(receive))
    except RecursionError:
        raise ValueError("nested too deeply") from None


async def disconnected(receive: Receive) -> None:
    """Returns when the client goes away."""
    while (await receive())["type"] != "http.disconnect":
        pass
