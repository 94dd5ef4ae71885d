"""Watches the answers to operations, until each is complete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..asgi import Message, Send
from ..protocol.jsonrpc import messages_in

# The bytes of an answer that are searched for an error; a longer answer is a result.
MAX_ERROR_BODY = 64 * 1024


class Watched:
    """Watches the answer to the message with `message_id`, and is finished when it is complete.

    The status is `ok`, `error` (a JSON-RPC error, a result with isError, or an HTTP error), or `abandoned` when the
    client left before its answer.
    """

    message_id: object

    def __init__(self) -> None:
        self._http_status = 0
        self._tail = b""
        # How many bytes the answer has.
        self.bytes_out = 0

    def watch(self, send: Send) -> Send:
        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._http_status = message["status"]
            elif body := message.get("body", b""):
                self.bytes_out += len(body)
                self._tail = body if len(body) < MAX_ERROR_BODY else b""
            await send(message)
            # The record is written after the answer, since nobody waits for it.
            if message["type"] == "http.response.body" and not message.get("more_body"):
                problem = problem_in(self._tail)
                self.finish("error" if self._http_status >= 400 or problem is not None else "ok", problem)

        return watched

    def watch_refusal(self, send: Send) -> Send:
        """Watches the answer to a POST whose message is answered on another stream, unless it is an error."""
        return _watch_refusal(self, send)

    def finish(self, status: str, answer: Mapping[str, Any] | None = None) -> None:
        """Writes what is to be written, unless it has been; `answer` is the JSON-RPC response, if it tells of an
        error.
        """
        raise NotImplementedError


class Batch:
    """Watches the one response to a JSON array of messages (2025-03-26, basic, "Batching"), for each of them."""

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
        problems = [message for message in messages_in(self._said) if "id" in message and failed(message)]
        for record in self._records:
            problem = next((each for each in problems if each["id"] == record.message_id), None)
            record.finish("error" if self._http_status >= 400 or problem is not None else "ok", problem)

    def watch_refusal(self, send: Send) -> Send:
        return _watch_refusal(self, send)

    def finish(self, status: str, answer: Mapping[str, Any] | None = None) -> None:
        for record in self._records:
            record.finish(status, answer)


def _watch_refusal(record: Watched | Batch, send: Send) -> Send:
    async def watched(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= 400:
            record.finish("error")
        await send(message)

    return watched


def problem_in(body: bytes) -> Mapping[str, Any] | None:
    """Returns the response that tells of an error in the last piece of an answer, JSON or SSE, None without one.

    Mostly a byte search finds that out.
    """
    # The SDKs write it without a space; within a text these quotes would have backslashes.
    said_ok = b'"isError":false' in body and b'"isError":true' not in body
    if (said_ok or b'"isError"' not in body) and b'"error"' not in body:
        return None
    return next(filter(failed, messages_in(body)), None)


def failed(message: Mapping[str, Any]) -> bool:
    """Tells whether a JSON-RPC response is an error or a tool result with isError."""
    result = message.get("result")
    return "error" in message or (isinstance(result, Mapping) and result.get("isError") is True)
