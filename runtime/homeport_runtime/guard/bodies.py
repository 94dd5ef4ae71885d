"""Says which bodies are refused where callers are judged, and writes a message in the way in which it was judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..asgi import Headers, Scope, header
from ..protocol.jsonrpc import PARSE_ERROR, encode
from .refusals import Refusal

# The keys by which an array of messages is told from one of anything else.
_KEYS = frozenset(("jsonrpc", "method"))
# The headers that say how long a body is.
_FRAMING = (b"content-length", b"transfer-encoding")

BATCH = Refusal(400, "batch", "send each message by itself: arrays of messages are not accepted here")
ENCODED = Refusal(415, "encoded", "send messages without Content-Encoding")
UNREADABLE = Refusal(400, "unreadable", "this is no JSON-RPC message", PARSE_ERROR, "Parse error")


def is_batch(said: object) -> bool:
    """Tells whether a body is an array of messages, which JSON-RPC allows and MCP did in 2025-03-26 alone."""
    return isinstance(said, list) and any(isinstance(each, dict) and _KEYS & each.keys() for each in said)


def is_encoded(scope: Scope) -> bool:
    """Tells whether a body is compressed, so that an app might read a message in it that nobody has judged."""
    return (header(scope, b"content-encoding") or "identity").strip().lower() != "identity"


def rewritten(scope: Scope, message: Mapping[str, Any]) -> bytes:
    """Returns the message as it was judged, each key once, and notes its length in the request's headers."""
    body = encode(message)
    headers: Headers = [field for field in scope["headers"] if field[0] not in _FRAMING]
    headers.append((b"content-length", b"%d" % len(body)))
    scope["headers"] = headers
    return body
