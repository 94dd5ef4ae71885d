"""Answers a plain request, in the place of the cycle with which uvicorn answers those that h11 has read."""

from __future__ import annotations

import asyncio
import http
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import RequestResponseCycle

from ..asgi import Headers, Scope

if TYPE_CHECKING:
    from .http_connection import Connection

# A field that could end the head, or begin another answer, is an error of the app's (RFC 9110, section 5.5).
_FIELDS = re.compile(rb"(?:[-!#$%&'*+.^_`|~0-9A-Za-z]+: [^\x00-\x08\x0a-\x1f\x7f]*\r\n)*")
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in http.HTTPStatus}
# Statuses of answers without a body (RFC 9110, sections 15.3.5 and 15.4.5).
_EMPTY = (204, 304)
CHUNKED = (b"transfer-encoding", b"chunked")


class PlainCycle(RequestResponseCycle):
    """Carries one request to the app and its answer back; it is one of uvicorn's cycles for all who look at it."""

    def __init__(self, connection: Connection, scope: Scope, body: bytes, on_response: Callable[[], None]) -> None:
        self.scope = scope  # type: ignore[assignment]
        self.transport = connection.transport
        self.flow = connection.flow
        self.logger = connection.logger
        self.default_headers = connection.server_state.default_headers
        self.message_event = asyncio.Event()
        self.on_response = on_response
        self.disconnected = False
        self.keep_alive = True
        self.response_started = False
        self.response_complete = False
        self._unread: bytes | None = body
        # The bytes that the app still owes of a length that it has declared, None where the answer is chunked.
        self._owed: int | None = 0
        self._has_body = True

    async def receive(self) -> Any:
        if self._unread is not None:
            body, self._unread = self._unread, None
            return {"type": "http.request", "body": body, "more_body": False}
        if not self.disconnected and not self.response_complete:
            await self.message_event.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Writes a part of the answer.

        Raises RuntimeError for parts in the wrong order, and for fields or a length that would break the connection.
        """
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        wanted = "http.response.body" if self.response_started else "http.response.start"
        if message["type"] != wanted or self.response_complete:
            raise RuntimeError(f"unexpected ASGI message {message['type']!r}")
        if self.response_started:
            self._send_body(message.get("body", b""), more=message.get("more_body", False))
        else:
            self._send_head(message["status"], [*self.default_headers, *message.get("headers", ())])

    def _send_head(self, status: int, headers: Headers) -> None:
        headers = self._framed(status, headers)
        fields = b"".join([b"%b: %b\r\n" % field for field in headers])
        if _FIELDS.fullmatch(fields) is None or fields.count(b"\n") != len(headers):
            raise RuntimeError("the app answers with header fields that are not allowed in HTTP")
        self.response_started = True
        line = _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
        self.transport.write(b"%b%b\r\n" % (line, fields))

    def _framed(self, status: int, headers: Headers) -> Headers:
        """Returns the fields with one that says where the answer ends (RFC 9112, section 6)."""
        length = None
        is_chunked = False
        for name, value in headers:
            match name.lower():
                case b"content-length":
                    length = int(value)
                case b"transfer-encoding":
                    is_chunked = True
                case b"connection" if b"close" in value.lower():
                    self.keep_alive = False
        self._has_body = status not in _EMPTY
        if is_chunked:
            headers = [field for field in headers if field[0].lower() not in (b"content-length", CHUNKED[0])]
        if not self._has_body:
            return headers
        self._owed = None if is_chunked else length
        return headers if self._owed is not None else [*headers, CHUNKED]

    def _send_body(self, body: bytes, *, more: bool) -> None:
        if self._owed is not None and self._has_body:
            self._owed -= len(body)
            if self._owed < 0 or (self._owed and not more):
                raise RuntimeError("the app's answer has not the length that it has declared")
        if self._owed is None:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            body = chunk if more else chunk + b"0\r\n\r\n"
        if body and self._has_body:
            self.transport.write(body)
        if not more:
            self._complete()

    def _complete(self) -> None:
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
