"""One call record per tools/call: tool, client, status, milliseconds, cold or warm."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from ..asgi import Message, Scope, Send, header
from ..telemetry import emit

CLIENT_INFO = "io.modelcontextprotocol/clientInfo"
# An error is a short answer; a longer one is a result.
MAX_ERROR_BODY = 64 * 1024


class CallRecord:
    """Watches the answer to one tools/call go by and writes the record when it is complete.

    Its status is `ok`, `error` (a JSON-RPC error, a result with isError, or an HTTP error), or `abandoned` when the
    client went away before its answer.
    """

    def __init__(self, scope: Scope, message: Mapping[str, Any], request: str, cold: bool) -> None:
        params = message.get("params")
        params = params if isinstance(params, Mapping) else {}
        self._tool = str(params.get("name"))
        self._client = _client(scope, params)
        self._request = request
        self._cold = cold
        self._started = time.perf_counter()
        self._http_status = 0
        self._tail = b""
        self._finished = False

    def watch(self, send: Send) -> Send:
        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._http_status = message["status"]
            elif message["type"] == "http.response.body":
                body = message.get("body", b"")
                if body:
                    self._tail = body if len(body) < MAX_ERROR_BODY else b""
                if not message.get("more_body"):
                    self.finish("error" if self._http_status >= 400 else outcome(self._tail))
            await send(message)

        return watched

    def watch_refusal(self, send: Send) -> Send:
        """For a call whose answer comes on another stream, unless it is refused at once."""

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 400:
                self.finish("error")
            await send(message)

        return watched

    def finish(self, status: str) -> None:
        """Writes the record; what happens after the first end is not its business."""
        if self._finished:
            return
        self._finished = True
        emit(
            "info" if status == "ok" else "warning",
            f"tools/call {self._tool}: {status}",
            request=self._request,
            call={
                "tool": self._tool,
                "client": self._client,
                "status": status,
                "ms": round((time.perf_counter() - self._started) * 1000, 2),
                "start": "cold" if self._cold else "warm",
            },
        )


def _client(scope: Scope, params: Mapping[str, Any]) -> str:
    """Who calls: clientInfo of the request's _meta (2026-07-28), else the User-Agent."""
    meta = params.get("_meta")
    info = meta.get(CLIENT_INFO) if isinstance(meta, Mapping) else None
    if isinstance(info, Mapping) and "name" in info:
        return f"{info['name']}/{info.get('version', '')}".rstrip("/")[:200]
    return (header(scope, b"user-agent") or "unknown")[:200]


def outcome(body: bytes) -> str:
    """`ok` or `error` from the last piece of an answer, JSON or SSE. Most answers are told by a byte search."""
    # What the SDKs write, without a space; in a text these bytes would have backslashes before the quotes.
    said_ok = b'"isError":false' in body and b'"isError":true' not in body
    if (said_ok or b'"isError"' not in body) and b'"error"' not in body:
        return "ok"
    text = body.decode("utf-8", "replace")
    documents = [line[5:] for line in text.split("\n") if line.startswith("data:")] or [text]
    for document in documents:
        try:
            message = json.loads(document)
        except ValueError:
            continue
        if isinstance(message, dict) and failed(message):
            return "error"
    return "ok"


def failed(message: Mapping[str, Any]) -> bool:
    """Whether a JSON-RPC response is an error or a tool result with isError."""
    result = message.get("result")
    return "error" in message or (isinstance(result, Mapping) and result.get("isError") is True)
