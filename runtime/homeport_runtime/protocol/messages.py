"""Reading a request's body up to a limit, parsing it once, and giving it back to the app unchanged."""

from __future__ import annotations

import json
import re
from collections import deque
from itertools import islice
from typing import Any, TypeGuard

from ..asgi import Message, Receive, Scope, header

# The scope key under which a parsed JSON-RPC message (a dict) is found.
MESSAGE = "homeport.message"
# The SDKs' own limit (mcp.server.transport_security.DEFAULT_MAX_REQUEST_BODY_SIZE).
MAX_BODY = 4 * 1024 * 1024
MAX_DISCARDED = 16 * MAX_BODY
# Bytes of both ends of a refused message in which its id is looked for.
MAX_PART = 4096
_ID = rb'"id"\s*:\s*(-?\d{1,18}|"[^"\\]{1,256}")'
_FIRST_ID = re.compile(rb"\s*\{[^{}\[\]]*?" + _ID)
_LAST_ID = re.compile(_ID + rb"\s*(?:,[^{}\[\]]*)?\}\s*\Z")
# Calls of one JSON array that have a record; no SDK answers arrays of more.
MAX_CALLS = 50
JSON_TYPES = ("application/json", "application/json-rpc")


class BodyTooLarge(Exception):
    """The body is larger than MAX_BODY bytes: `start` is what was read of it, and `is_whole` that nothing follows."""

    def __init__(self, start: bytes = b"", *, is_whole: bool = False) -> None:
        super().__init__()
        self.start = start
        self.is_whole = is_whole


class ClientGoneError(Exception):
    """The client closed its connection before its request was complete, or before it was answered."""


def declared_length(scope: Scope) -> int:
    for key, value in scope["headers"]:
        if key == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0


async def read_body(receive: Receive) -> bytes:
    """The whole body. Raises BodyTooLarge beyond MAX_BODY bytes, and ClientGoneError."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGoneError
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if len(body) > MAX_BODY:
            raise BodyTooLarge(body, is_whole=True)
        return body
    chunks, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > MAX_BODY:
            raise BodyTooLarge(b"".join(chunks), is_whole=not message.get("more_body"))
    return b"".join(chunks)


async def discard_body(receive: Receive) -> bytes:
    """Reads what is left of a body that is refused and returns its last bytes; a client that goes on beyond
    MAX_DISCARDED bytes is left alone.
    """
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
    """The id of a request of which only the beginning and the end are known: it stands before the first thing that is
    nested in it, or behind the last, where the SDKs write it. None if it is not found.
    """
    found = _FIRST_ID.match(start[:MAX_PART]) or _LAST_ID.search((start + end)[-MAX_PART:])
    return json.loads(found[1]) if found else None


def parse(body: bytes) -> dict[str, Any] | None:
    """The message, or None for what is not a JSON object: the SDK says what is wrong with that."""
    message = decoded(body)
    return message if isinstance(message, dict) else None


def decoded(body: bytes) -> object:
    """What the body says as JSON; None for what is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def calls_in(said: object) -> list[dict[str, Any]]:
    """The calls of tools in what a client posted, a message or an array of them: the first MAX_CALLS."""
    if isinstance(said, list):
        return list(islice(filter(_is_call, said), MAX_CALLS))
    return [said] if _is_call(said) else []


def _is_call(message: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(message, dict) and message.get("method") == "tools/call"


def may_call(scope: Scope) -> bool:
    """Whether what is posted to a path of the app's own may be a JSON-RPC message."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return False
    media_type = (header(scope, b"content-type") or "").partition(";")[0].strip().lower()
    return media_type in JSON_TYPES


async def peek_body(receive: Receive) -> tuple[bytes | None, Receive]:
    """The body, if it has at most MAX_BODY bytes, and a `receive` that gives all there is of it.

    What is larger goes to the app as it comes.
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
    """A `receive` that gives the body in one piece and then what the connection says."""
    pending = True

    async def replayed() -> Message:
        nonlocal pending
        if pending:
            pending = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replayed
