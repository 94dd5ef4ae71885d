"""Implements the supervisor's end of the control channel to a worker: JSON, one object a line, over a socket pair."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

from .messages import MAX_MESSAGE, Message, read_message
from .pace import Pace

# A worker's messages get a tenth of the loop's time; a flood waits in the socket, and so does its writer.
OTHERS = 9.0
# The seconds for which messages must come faster than they are read to count as a flood.
FLOOD_S = 2.0
# The bytes that are buffered for a worker that does not read; further messages are dropped.
MAX_UNSENT = 64 * 1024 * 1024


class ControlChannel:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._pace = Pace(OTHERS)
        # The seconds for which messages were waiting, less those without any.
        self._flooded_s = 0.0

    @classmethod
    async def open(cls, sock: socket.socket) -> ControlChannel:
        sock.setblocking(False)
        return cls(*await asyncio.open_connection(sock=sock, limit=MAX_MESSAGE))

    @property
    def is_flooded(self) -> bool:
        """Tells whether the worker's own messages wait behind those that something in it writes without end."""
        return self._flooded_s > FLOOD_S

    def send(self, **message: Any) -> None:
        """Sends a message, or does nothing if the worker is gone."""
        transport = self._writer.transport
        if not transport.is_closing() and transport.get_write_buffer_size() <= MAX_UNSENT:
            self._writer.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    async def messages(self) -> AsyncIterator[Message | None]:
        """Yields messages until the worker is gone, and None for what is no message."""
        while True:
            asked = time.monotonic()
            try:
                line = await self._reader.readline()
            except OSError:
                return
            except ValueError:
                # The line was too long, and the reader has dropped what it had of it.
                line = b"\n"
            if not line:
                return
            read = time.monotonic()
            with self._pace.working():
                yield read_message(line)
            await self._pace.rest()
            waited, heard = read - asked, time.monotonic() - read
            self._flooded_s = min(max(self._flooded_s + heard - waited, 0.0), 2 * FLOOD_S)

    def close(self) -> None:
        self._writer.close()
