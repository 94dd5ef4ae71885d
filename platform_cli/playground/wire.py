"""Sends JSON-RPC messages over MCP's streamable HTTP, and yields what comes back, within bounds.

https://modelcontextprotocol.io/specification/2025-11-25/basic/transports
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from homeport_runtime.protocol.modern_answer import Events

from ..clients.exact import read_value, write_value
from ..errors import InputError

# The bytes that all answers of one try may have together.
MAX_BYTES = 4 * 1024 * 1024
# The characters that are told of an answer which has more.
MAX_BEGINNING = 64 * 1024
ACCEPT = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
    "Accept-Encoding": "identity",
}

Message = dict[str, Any]


class TooLargeError(Exception):
    """Says that answers have more than MAX_BYTES; `beginning` is what the last one began with."""

    def __init__(self, beginning: str) -> None:
        super().__init__()
        self.beginning = beginning


@dataclass(frozen=True, slots=True)
class Answer:
    """Is the answer to one POST: the `messages` are texts of JSON-RPC, and come as the server sends them."""

    status: int
    headers: list[tuple[str, str]]
    messages: AsyncIterator[str]

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


class Wire:
    """Sends messages to the endpoint at `url`, each with `headers`."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self.url = url
        # A client with a transport of its own uses no proxy, and none leads to this machine's own loopback.
        self._http = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(),
            headers={**ACCEPT, **headers},
            timeout=httpx.Timeout(None),
            follow_redirects=False,
        )
        self._bytes = 0

    async def close(self) -> None:
        await self._http.aclose()

    def headers_of(self, more: Mapping[str, str]) -> list[tuple[str, str]]:
        """Returns the headers of a POST, without the value of a token."""
        sent = {**self._http.headers, **{key.lower(): value for key, value in more.items()}}
        return [(name, "Bearer ..." if name == "authorization" else value) for name, value in sent.items()]

    @asynccontextmanager
    async def post(self, message: Message, more: Mapping[str, str]) -> AsyncIterator[Answer]:
        """Sends a message with `more` headers. Raises httpx.HTTPError, and TooLargeError while messages are read."""
        content = write_value(message).encode()
        async with self._http.stream("POST", self.url, content=content, headers=dict(more)) as response:
            yield Answer(response.status_code, list(response.headers.multi_items()), self._messages(response))

    async def last(self, message: Message, more: Mapping[str, str]) -> tuple[Answer, Message | None]:
        """Sends a message, and returns the answer and its last message, None if there is none."""
        found: Message | None = None
        async with self.post(message, more) as answer:
            async for text in answer.messages:
                found = decode(text) or found
        return answer, found

    async def end_session(self, more: Mapping[str, str]) -> None:
        await self._http.delete(self.url, headers=dict(more))

    async def _messages(self, response: httpx.Response) -> AsyncIterator[str]:
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            events = Events()
            async for data in self._read(response):
                for event in events.feed(data):
                    if event is not None:
                        yield event.decode("utf-8", "replace")
            return
        body = bytearray()
        async for data in self._read(response, body):
            body += data
        if body:
            yield body.decode("utf-8", "replace")

    async def _read(self, response: httpx.Response, before: bytes | bytearray = b"") -> AsyncIterator[bytes]:
        async for data in response.aiter_bytes():
            self._bytes += len(data)
            if self._bytes > MAX_BYTES:
                beginning = bytes((before or data)[:MAX_BEGINNING])
                raise TooLargeError(beginning.decode("utf-8", "replace"))
            yield data


def decode(text: str) -> Message | None:
    """Returns a JSON-RPC message, None if the text is none, or has numbers that a browser's JSON cannot have."""
    try:
        message = read_value(text)
    except InputError:
        return None
    return message if isinstance(message, dict) and message.get("jsonrpc") == "2.0" else None
