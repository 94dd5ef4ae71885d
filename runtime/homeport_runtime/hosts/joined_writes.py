"""Joins the head of an answer and the start of its body into one write.

uvicorn writes them separately, and each write is a system call that wakes the client.
"""

from __future__ import annotations

import asyncio
from typing import Any

HEAD = b"HTTP/1.1 "
# A larger body is written separately, since joining copies it.
MAX_JOINED = 64 * 1024


class JoinedWrites:
    """Is an asyncio transport that holds a head until more is written, for one turn of the event loop at most.

    The head of a stream may be all there is for a while.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""

    def write(self, data: bytes) -> None:
        if self._held and len(data) <= MAX_JOINED:
            data, self._held = self._held + data, b""
        elif data.startswith(HEAD):
            self._flush()
            self._held = data
            self._loop.call_soon(self._flush)
            return
        self._flush()
        self._transport.write(data)

    def _flush(self) -> None:
        if self._held:
            data, self._held = self._held, b""
            self._transport.write(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        self._held = b""
        self._transport.abort()

    def get_write_buffer_size(self) -> int:
        return len(self._held) + self._transport.get_write_buffer_size()

    def __getattr__(self, name: str) -> Any:
        """Returns all other attributes of the transport."""
        return getattr(self._transport, name)
