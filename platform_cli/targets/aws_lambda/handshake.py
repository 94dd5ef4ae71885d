"""Checks that a version answers before it gets any traffic, by invoking it directly with what its URL would send."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from ...errors import ReleaseError
from .client import AWS

PRELUDE_END = b"\0" * 8
HOST = "homeport.invalid"
INITIALIZE = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "homeport", "version": "1"},
}
# A request with more in it than its method needs has no recorded answer (homeport_runtime.protocol.discovery), so the
# server itself answers once it has started. Recorded answers come after it.
UNRECORDED = {"_meta": {"homeport/handshake": True}}


def shake_hands(aws: AWS, function: str, version: str, token: str | None, *, speaks_mcp: bool) -> None:
    """Sends requests that the server itself has to answer, and which start it.

    Raises ReleaseError with the function's own reason if it does not list its tools and initialize, or accepts a caller
    without the token.
    """
    if not speaks_mcp:
        status, body = _ask(aws, function, version, "GET", "/health", None, None)
        _expect(200, status, body, "GET /health")
        return
    if token is not None:
        status, body = _call(aws, function, version, "initialize", INITIALIZE, None)
        _expect(401, status, body, "a call without the token")
    for method, params in (("tools/list", UNRECORDED), ("initialize", INITIALIZE)):
        status, body = _call(aws, function, version, method, params, token)
        _expect(200, status, body, method)
        if b'"result"' not in body and not (method == "tools/list" and b"-32601" in body):
            raise _failed(f"{method} was answered with {_shown(body)}")


def _call(
    aws: AWS, function: str, version: str, method: str, params: Mapping[str, Any], token: str | None
) -> tuple[int, bytes]:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return _ask(aws, function, version, "POST", "/mcp", json.dumps(message), token)


def _ask(
    aws: AWS, function: str, version: str, method: str, path: str, body: str | None, token: str | None
) -> tuple[int, bytes]:
    headers = {
        "host": HOST,
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
        **({"authorization": f"Bearer {token}"} if token else {}),
    }
    http = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "homeport"}
    event = {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {"domainName": HOST, "http": http},
        "isBase64Encoded": False,
        **({"body": body} if body else {}),
    }
    answer = aws.functions.invoke(FunctionName=function, Qualifier=version, Payload=json.dumps(event).encode())
    payload: bytes = answer["Payload"].read()
    if "FunctionError" in answer:
        raise _failed(_reason(payload))
    return _read(payload)


def _read(payload: bytes) -> tuple[int, bytes]:
    """Returns status and body of an answer, which is streamed (a prelude, eight zeros and the body) or in one piece."""
    try:
        start, zeros, body = payload.partition(PRELUDE_END)
        said = json.loads(start)
        if not zeros:
            text = said.get("body", "")
            body = base64.b64decode(text) if said.get("isBase64Encoded") else text.encode()
        return int(said["statusCode"]), body
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _failed(f"what it answers is no HTTP: {_shown(payload)}") from None


def _expect(wanted: int, status: int, body: bytes, what: str) -> None:
    if status != wanted:
        raise _failed(f"{what} was answered with HTTP {status} instead of {wanted}: {_shown(body)}")


def _reason(payload: bytes) -> str:
    try:
        said = json.loads(payload)
        return "\n".join([f"{said['errorType']}: {said['errorMessage']}", *map(str, said.get("stackTrace", ()))])
    except (ValueError, KeyError, TypeError):
        return _shown(payload)


def _shown(data: bytes) -> str:
    return data.decode(errors="replace")[:400]


def _failed(reason: str) -> ReleaseError:
    return ReleaseError(f"the new version did not answer: {reason}", hint="what served before still does")
