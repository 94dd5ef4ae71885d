"""Writes one call record per tools/call: tool, client, status, milliseconds, cold or warm."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..asgi import Message, Scope, Send, header
from ..protocol.jsonrpc import messages_in
from ..telemetry import encode, write_record
from .open_calls import OpenCalls

if TYPE_CHECKING:
    from asyncio import TimerHandle

CLIENT_INFO = "io.modelcontextprotocol/clientInfo"
# The bytes of an answer that are searched for an error; a longer answer is a result.
MAX_ERROR_BODY = 64 * 1024
# The characters of a caller's texts that are recorded: a record of a megabyte would push a thousand others out of the
# log.
MAX_SHOWN = 200


class Watched:
    """Watches the answer to the message with `message_id`, and is finished when it is complete.

    The status is `ok`, `error` (a JSON-RPC error, a result with isError, or an HTTP error), or `abandoned` when the
    client left before its answer.
    """

    message_id: object

    def __init__(self) -> None:
        self.is_finished = False
        # What ends the message if its answer takes too long.
        self.deadline: TimerHandle | None = None
        self._http_status = 0
        self._tail = b""

    def watch(self, send: Send) -> Send:
        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._http_status = message["status"]
            elif body := message.get("body", b""):
                self._tail = body if len(body) < MAX_ERROR_BODY else b""
            await send(message)
            # The record is written after the answer, since nobody waits for it.
            if message["type"] == "http.response.body" and not message.get("more_body"):
                self.finish("error" if self._http_status >= 400 else outcome(self._tail))

        return watched

    def watch_refusal(self, send: Send) -> Send:
        """Watches the answer to a POST whose message is answered on another stream, unless it is an error."""
        return _watch_refusal(self, send)

    def finish(self, status: str) -> None:
        """Writes what is to be written, unless it has been."""
        if self.is_finished:
            return
        self.is_finished = True
        if self.deadline is not None:
            self.deadline.cancel()
        self._write(status)

    def _write(self, status: str) -> None:
        raise NotImplementedError


class CallRecord(Watched):
    """Writes the record of one tools/call when its answer is complete; `open_calls` holds it until then.

    `audited` is what the audit log has of the same call, None without one.
    """

    def __init__(
        self,
        scope: Scope,
        message: Mapping[str, Any],
        request: str,
        cold: bool,
        open_calls: OpenCalls | None = None,
        audited: Watched | None = None,
    ) -> None:
        super().__init__()
        params = message.get("params")
        params = params if isinstance(params, Mapping) else {}
        self.message_id = message.get("id")
        # Both are encoded as JSON.
        self._tool = encode(shown(params.get("name")))
        self._client = encode(_client(scope, params))
        self._request = request
        self._start = "cold" if cold else "warm"
        self._started = time.perf_counter()
        self._open_calls = open_calls
        self._audited = audited
        # The record that is written if this process dies; its `time` is when the call came.
        self._slot = open_calls.begin(self._record("error", "error", 0).encode()) if open_calls is not None else None

    def _write(self, status: str) -> None:
        if self._open_calls is not None and self._slot is not None:
            self._open_calls.end(self._slot)
        level = "info" if status == "ok" else "warning"
        write_record(self._record(level, status, (time.perf_counter() - self._started) * 1000))
        if self._audited is not None:
            self._audited.finish(status)

    def _record(self, level: str, status: str, ms: float) -> str:
        """Returns the record as `emit` would write it, formatted by hand because that is done twice for each call."""
        return (
            f'{{"time":{time.time():.3f},"level":"{level}","message":"tools/call {self._tool[1:-1]}: {status}",'
            f'"request":"{self._request}","call":{{"tool":{self._tool},"client":{self._client},"status":"{status}",'
            f'"ms":{ms:.2f},"start":"{self._start}"}}}}'
        )


class BatchRecords:
    """Holds the records of a JSON array's calls, which one response answers (2025-03-26, basic, "Batching")."""

    def __init__(self, records: Iterable[Watched]) -> None:
        self._records = tuple(records)
        self._http_status = 0
        self._said = b""

    def watch(self, send: Send) -> Send:
        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._http_status = message["status"]
            else:
                self._said = (self._said + message.get("body", b""))[-MAX_ERROR_BODY:]
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                self._answered()

        return watched

    def _answered(self) -> None:
        problems = [message["id"] for message in messages_in(self._said) if "id" in message and failed(message)]
        for record in self._records:
            is_error = self._http_status >= 400 or record.message_id in problems
            record.finish("error" if is_error else "ok")

    def watch_refusal(self, send: Send) -> Send:
        return _watch_refusal(self, send)

    def finish(self, status: str) -> None:
        for record in self._records:
            record.finish(status)


def _watch_refusal(record: Watched | BatchRecords, send: Send) -> Send:
    async def watched(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= 400:
            record.finish("error")
        await send(message)

    return watched


def shown(text: object) -> str:
    """Returns a caller's text as it is recorded: cut, and with escapes for what is invisible or could
    steer a terminal.
    """
    if not isinstance(text, str):
        return "None" if text is None else "?"
    text = text[:MAX_SHOWN]
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)[:MAX_SHOWN]


def _client(scope: Scope, params: Mapping[str, Any]) -> str:
    """Returns who calls: clientInfo of the request's _meta (2026-07-28), else the User-Agent."""
    meta = params.get("_meta")
    info = meta.get(CLIENT_INFO) if isinstance(meta, Mapping) else None
    if isinstance(info, Mapping) and "name" in info:
        version = info.get("version", "")
        return f"{shown(info['name'])}/{shown(version) if version else ''}".rstrip("/")[:MAX_SHOWN]
    return shown(header(scope, b"user-agent") or "unknown")


def outcome(body: bytes) -> str:
    """Returns `ok` or `error` for the last piece of an answer, JSON or SSE, mostly by a byte search."""
    # The SDKs write it without a space; within a text these quotes would have backslashes.
    said_ok = b'"isError":false' in body and b'"isError":true' not in body
    if (said_ok or b'"isError"' not in body) and b'"error"' not in body:
        return "ok"
    return "error" if any(map(failed, messages_in(body))) else "ok"


def failed(message: Mapping[str, Any]) -> bool:
    """Tells whether a JSON-RPC response is an error or a tool result with isError."""
    result = message.get("result")
    return "error" in message or (isinstance(result, Mapping) and result.get("isError") is True)
