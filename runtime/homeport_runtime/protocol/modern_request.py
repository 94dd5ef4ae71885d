"""Checks what a request of protocol 2026-07-28 must carry, in the order of mcp 2.3 (`mcp/shared/inbound.py`)."""

from __future__ import annotations

import base64
import binascii

from ..asgi import Scope
from .jsonrpc import INVALID_PARAMS, RPC, error, meta_of

MODERN_VERSIONS = ("2026-07-28",)
HEADER_MISMATCH, UNSUPPORTED_PROTOCOL_VERSION = -32020, -32022

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
LOG_LEVEL_KEY = "io.modelcontextprotocol/logLevel"

# Least severe first (RFC 5424).
LOG_LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")

# Methods whose results say how long they may be cached (specification, server/utilities/caching).
CACHEABLE = frozenset(
    ("tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read", "server/discover")
)
# The methods that both eras have; every other method is not found.
TRANSLATED = CACHEABLE - {"server/discover"} | {"tools/call", "prompts/get", "completion/complete"}

# Method -> the parameter that the Mcp-Name header repeats.
_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_ROUTING_HEADERS = (b"mcp-protocol-version", b"mcp-method", b"mcp-name")


def unsupported_version(request_id: object, version: object) -> RPC:
    data = {"supported": list(MODERN_VERSIONS), "requested": version}
    return error(request_id, UNSUPPORTED_PROTOCOL_VERSION, "Unsupported protocol version", data)


def envelope_error(scope: Scope, request: RPC) -> RPC | None:
    """Returns the error for the first thing wrong with the request's headers and `_meta`, None if nothing is."""
    request_id = request["id"]
    headers: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name in headers and name in _ROUTING_HEADERS:
            return error(request_id, HEADER_MISMATCH, f"{name.decode()} header appears more than once")
        headers[name] = value.decode("latin-1")
    meta = meta_of(request)
    missing = [key for key in (VERSION_KEY, CAPABILITIES_KEY) if key not in meta]
    if missing:
        text = f"params._meta is missing the required envelope key(s): {', '.join(missing)}"
        return error(request_id, INVALID_PARAMS, text)
    mismatch = _mismatch(headers, request, meta[VERSION_KEY])
    if mismatch is not None:
        return error(request_id, HEADER_MISMATCH, f"{mismatch} header does not match the request body")
    if meta[VERSION_KEY] not in MODERN_VERSIONS:
        return unsupported_version(request_id, meta[VERSION_KEY])
    if not isinstance(meta[CAPABILITIES_KEY], dict) or meta.get(LOG_LEVEL_KEY) not in (None, *LOG_LEVELS):
        text = f"params._meta has an invalid {CAPABILITIES_KEY} or {LOG_LEVEL_KEY}"
        return error(request_id, INVALID_PARAMS, text)
    return None


def _mismatch(headers: dict[bytes, str], request: RPC, version: object) -> str | None:
    """Returns the name of the header that contradicts the body, or is missing; None if all match."""
    if headers.get(b"mcp-protocol-version") != version:
        return "mcp-protocol-version"
    if headers.get(b"mcp-method") != request["method"]:
        return "mcp-method"
    key = _NAMED_BY.get(request["method"])
    name = request["params"].get(key) if key is not None else None
    if name is not None and _decoded(headers.get(b"mcp-name")) != name:
        return "mcp-name"
    return None


def _decoded(value: str | None) -> str | None:
    """Returns a header's value, decoded if it is `=?base64?...?=` (Value Encoding); None if that is malformed."""
    if value is None or not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    payload = value[len("=?base64?") : -len("?=")]
    try:
        raw = base64.b64decode(payload, validate=True)
        return raw.decode() if base64.b64encode(raw).decode() == payload else None
    except (binascii.Error, UnicodeDecodeError):
        return None
