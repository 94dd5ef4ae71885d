"""Reads a request's body up to a limit, parses it once, and passes it on to the app unchanged."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, TypeGuard

from ..asgi import Message, Receive, Scope, header

# The scope key under which a parsed JSON-RPC message (a dict) is found.
MESSAGE = "homeport.message"
# The SDKs' own limit (mcp.server.transport_security.DEFAULT_MAX_REQUEST_BODY_SIZE).
MAX_BODY = 4 * 1024 * 1024
MAX_DISCARDED = 16 * MAX_BODY
# The bytes at both ends of a refused message in which its id is searched for.
MAX_PART = 4096
_ID = rb'"id"\s*:\s*(-?\d{1,18}|"[^"\\]{1,256}")'
_FIRST_ID = re.compile(rb"\s*\{[^{}\[\]]*?" + _ID)
_LAST_ID = re.compile(_ID + rb"\s*(?:,[^{}\[\]]*)?\}\s*\Z")
# The calls of one JSON array that get a record; no SDK answers larger arrays.
MAX_CALLS = 50
_DECODE = json.JSONDecoder().raw_decode
JSON_TYPES = ("application/json", "application/json-rpc")


class BodyTooLarge(Exception):
    """Says that a body has more than MAX_BODY bytes, of which `start` was read; `is_whole` means that there
    is no more.
    """

    def __init__(self, start: bytes = b"", *, is_whole: bool = False) -> None:
        super().__init__()
        self.start = start
        self.is_whole = is_whole


class ClientGoneError(Exception):
    """Says that the client closed its connection before its request was complete, or before it was answered."""


def declared_length(headers: Mapping[bytes, bytes]) -> int:
    value = headers.get(b"content-length", b"")
    return int(value) if value.isdigit() else 0


async def read_body(receive: Receive, most: int = MAX_BODY) -> bytes:
    """Returns the whole body.

    Raises BodyTooLarge beyond `most` bytes, and ClientGoneError if the client leaves before it is complete.
    """
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGoneError
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if len(body) > most:
            raise BodyTooLarge(body, is_whole=True)
        return body
    chunks, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > most:
            raise BodyTooLarge(b"".join(chunks), is_whole=not message.get("more_body"))
    return b"".join(chunks)


async def discard_body(receive: Receive) -> bytes:
    """Reads the rest of a refused body, up to MAX_DISCARDED bytes, and returns its last bytes."""
    size, last = 0, b""
    while size < MAX_DISCARDED:
        message = await receive()
        body: bytes = message.get("body", b"")
        last = (last + body)[-MAX_PART:]
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            break
        size += len(body)
    return last


def id_of_part(start: bytes, end: bytes) -> Any:
    """Returns the id of a request of which only the beginning and the end are known, None if it is not found.

    The SDKs write it before the first nested object or array, or after the last.
    """
    found = _FIRST_ID.match(start[:MAX_PART]) or _LAST_ID.search((start + end)[-MAX_PART:])
    return json.loads(found[1]) if found else None


def id_of(said: object) -> object:
    """Returns the id of a decoded message, None for anything else."""
    return said.get("id") if isinstance(said, dict) else None


def parse(body: bytes) -> dict[str, Any] | None:
    """Returns the message; None for what is not a JSON object, about which the SDK reports."""
    message = decoded(body)
    return message if isinstance(message, dict) else None


def decoded(body: bytes) -> object:
    """Returns the body decoded as JSON, None if it is not JSON."""
    try:
        return read_text(body, _DECODE)
    except (ValueError, RecursionError):
        pass
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def read_text(body: bytes, decode: Callable[[str], tuple[object, int]]) -> object:
    """Returns what `decode` (json.JSONDecoder.raw_decode) reads in a body of UTF-8 without space around it, as nearly
    all are, in half the time of json.loads, which looks for the encoding and for space.

    Raises ValueError for all others. What is read has no zero byte, so that json.loads would take it for UTF-8, too.
    """
    text = body.decode()
    said, end = decode(text)
    if end != len(text):
        raise ValueError("something follows")
    return said


def calls_in(said: object) -> list[dict[str, Any]]:
    """Returns the first MAX_CALLS tool calls in what a client posted, a message or an array of messages."""
    if isinstance(said, list):
        return list(islice(filter(_is_call, said), MAX_CALLS))
    return [said] if _is_call(said) else []


def _is_call(message: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(message, dict) and message.get("method") == "tools/call"


def may_call(scope: Scope) -> bool:
    """Tells whether a POST to any path of the app's own may be a JSON-RPC message."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return False
    media_type = (header(scope, b"content-type") or "").partition(";")[0].strip().lower()
    return media_type in JSON_TYPES


async def peek_body(receive: Receive) -> tuple[bytes | None, Receive]:
    """Returns the body if it has at most MAX_BODY bytes, else None, and a `receive` that returns all of it.

    A larger body is passed to the app as it arrives.
    """
    parts: list[Message] = []
    size = 0
    while size <= MAX_BODY:
        part = await receive()
        parts.append(part)
        size += len(part.get("body", b""))
        if part["type"] == "http.disconnect" or not part.get("more_body"):
            break
    whole = size <= MAX_BODY and parts[-1]["type"] != "http.disconnect"
    pending = deque(parts)

    async def replayed() -> Message:
        return pending.popleft() if pending else await receive()

    return b"".join(part["body"] for part in parts if part.get("body")) if whole else None, replayed


def replay(body: bytes, receive: Receive) -> Receive:
    """Returns a `receive` that returns the body in one piece and then the connection's messages."""
    pending = True

    async def replayed() -> Message:
        nonlocal pending
        if pending:
            pending = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replayed
