"""Says which bodies are refused where callers are judged, and writes a message in the way in which it was judged."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..asgi import Headers, Scope
from ..protocol.jsonrpc import PARSE_ERROR, encode
from ..protocol.messages import decoded, read_text
from .refusals import Refusal

# The keys by which an array of messages is told from one of anything else.
_KEYS = frozenset(("jsonrpc", "method"))
# The headers that say how long a body is.
_FRAMING = (b"content-length", b"transfer-encoding")

BATCH = Refusal(400, "batch", "send each message by itself: arrays of messages are not accepted here")
ENCODED = Refusal(415, "encoded", "send messages without Content-Encoding")
UNREADABLE = Refusal(400, "unreadable", "this is no JSON-RPC message", PARSE_ERROR, "Parse error")


def read(body: bytes) -> tuple[object, bool]:
    """Returns the body decoded as JSON, None if it is not JSON, and whether all decoders read the same in it.

    That is so for ASCII without a backslash where no object has a key twice: it means the same in all charsets, and
    there is one way to read it. To see that takes half as long as to encode a message anew.
    """
    if body.isascii() and b"\\" not in body:
        try:
            return read_text(body, _DECODE_ONCE), True
        except (ValueError, RecursionError):
            pass
    return decoded(body), False


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key is there twice")
    return members


_DECODE_ONCE = json.JSONDecoder(object_pairs_hook=_once).raw_decode


def is_batch(said: object) -> bool:
    """Tells whether a body is an array of messages, which JSON-RPC allows and MCP did in 2025-03-26 alone."""
    return isinstance(said, list) and any(isinstance(each, dict) and _KEYS & each.keys() for each in said)


def is_encoded(headers: Mapping[bytes, bytes]) -> bool:
    """Tells whether a body is compressed, so that an app might read a message in it that nobody has judged."""
    said = headers.get(b"content-encoding")
    return said is not None and said.strip().lower() not in (b"", b"identity")


def rewritten(scope: Scope, message: Mapping[str, Any]) -> bytes:
    """Returns the message as it was judged, each key once, and notes its length in the request's headers."""
    body = encode(message)
    headers: Headers = [field for field in scope["headers"] if field[0] not in _FRAMING]
    headers.append((b"content-length", b"%d" % len(body)))
    scope["headers"] = headers
    return body
