"""The supervisor's end of the control channel to one worker: JSON, one object a line, over a socket pair."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

from .messages import MAX_MESSAGE, Message, read_message
from .pace import Pace

# What a worker says gets a tenth of the loop's time; the rest of a flood waits in the socket, and so does its writer.
OTHERS = 9.0
# Who has always more to say for so many seconds, faster than it is heard, floods it.
FLOOD_S = 2.0
# Bytes that wait for a worker which does not read; what comes then is lost to it.
MAX_UNSENT = 64 * 1024 * 1024


class ControlChannel:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._pace = Pace(OTHERS)
        # How much longer there was something to hear than nothing.
        self._flooded_s = 0.0

    @classmethod
    async def open(cls, sock: socket.socket) -> ControlChannel:
        sock.setblocking(False)
        return cls(*await asyncio.open_connection(sock=sock, limit=MAX_MESSAGE))

    @property
    def is_flooded(self) -> bool:
        """What its worker itself has to say waits behind what something in it writes without an end."""
        return self._flooded_s > FLOOD_S

    def send(self, **message: Any) -> None:
        """To a worker that is gone it says nothing."""
        transport = self._writer.transport
        if not transport.is_closing() and transport.get_write_buffer_size() <= MAX_UNSENT:
            self._writer.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    async def messages(self) -> AsyncIterator[Message | None]:
        """Until the worker is gone; None stands for what is no message, and nothing that it says ends this."""
        while True:
            asked = time.monotonic()
            try:
                line = await self._reader.readline()
            except OSError:
                return
            except ValueError:
                # Too long: the reader has dropped what it had of it.
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
