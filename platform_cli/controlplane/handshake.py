"""Checks a release that has just begun to serve, by a client's first request over its own port."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterable
from http import HTTPStatus

from ..errors import ReleaseError
from ..supervisor.sockets import HOST

# The seconds that an answer may take.
TIMEOUT_S = 30.0
# https://modelcontextprotocol.io/specification/2025-06-18/basic/lifecycle
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "homeport", "version": "1"},
    },
}
HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
    "User-Agent": "homeport",
}
SESSION = "Mcp-Session-Id"


def check_handshake(port: int, paths: Iterable[str]) -> None:
    """Connects to each path as a client would.

    Raises ReleaseError if an answer cannot be used; a refusal of unknown callers (401, 403) is a good answer.
    """
    for path in paths:
        try:
            status = _initialize(port, path)
        except (OSError, http.client.HTTPException) as error:
            said = f"does not answer a client's first request: {error or type(error).__name__}"
        else:
            if status < HTTPStatus.MULTIPLE_CHOICES or status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                continue
            said = f"answers a client's first request with HTTP {status}"
        raise ReleaseError(
            f"the server was loaded, but {path} {said}",
            hint="`homeport dev` serves it the same way, with its log; a path of its own has to take POST",
        )


def _initialize(port: int, path: str) -> int:
    with contextlib.closing(http.client.HTTPConnection(HOST, port, timeout=TIMEOUT_S)) as connection:
        connection.request("POST", path, json.dumps(INITIALIZE), HEADERS)
        answer = connection.getresponse()
        answer.read()
        if session := answer.headers.get(SESSION):
            connection.request("DELETE", path, headers={SESSION: session})
            connection.getresponse().read()
    return answer.status
