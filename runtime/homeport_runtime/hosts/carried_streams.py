"""HTTP+SSE streams that change workers in the middle of their answer, with what the next worker has to know of them.

The answer's head and what was said so far have been sent; what follows are chunks (RFC 9112, section 7.1).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket

from uvicorn.server import ServerState

from ..asgi import Message, Scope
from ..guard.carried import Carried
from ..guard.http import Guard
from .handover import Exchange

# Bytes that every system keeps in a pipe until they are read (pipe(7); macOS begins with 16 KB).
MAX_TOLD = 16 * 1024


class CarriedStreams:
    """Gives streams to the project's other workers, and goes on with those that they give."""

    def __init__(self, guard: Guard, exchange: Exchange, state: ServerState) -> None:
        self._guard = guard
        self._exchange = exchange
        self._state = state
        # Of the streams that came from elsewhere, by the identity of their request's scope.
        self._transports: dict[int, asyncio.WriteTransport] = {}

    def give(self) -> None:
        """Gives away those that are quiet and can go; to be called until there are none."""
        self._guard.carry(self._give)

    def _give(self, carried: Carried) -> bool | None:
        told = carried.to_bytes()
        transport = self._transport(carried.scope)
        if transport is None or carried.scope["http_version"] != "1.1" or len(told) > MAX_TOLD:
            return None
        if transport.is_closing() or transport.get_write_buffer_size():
            return False
        reading, writing = os.pipe()
        try:
            os.write(writing, told)
            if not self._exchange.give(transport.get_extra_info("socket").fileno(), reading):
                return False
        finally:
            os.close(reading)
            os.close(writing)
        # Closes this process's descriptor only, as in handover.py.
        transport.abort()
        return True

    def _transport(self, scope: Scope) -> asyncio.WriteTransport | None:
        for connection in self._state.connections:
            cycle = getattr(connection, "cycle", None)
            if cycle is not None and cycle.scope is scope:
                transport: asyncio.WriteTransport = connection.transport
                return transport
        return self._transports.get(id(scope))

    def take(self, connection: socket.socket, told: int) -> None:
        """Goes on with a stream: `told` is the descriptor from which what is known of it is read."""
        try:
            os.set_blocking(told, False)
            carried = Carried.from_bytes(os.read(told, MAX_TOLD))
        except (OSError, ValueError):
            connection.close()
            return
        finally:
            os.close(told)
        self._guard.announce(carried.name)
        task = asyncio.get_running_loop().create_task(self._carry_on(connection, carried))
        self._state.tasks.add(task)
        task.add_done_callback(self._state.tasks.discard)

    async def _carry_on(self, connection: socket.socket, carried: Carried) -> None:
        reader, writer = await asyncio.open_connection(sock=connection)
        self._transports[id(carried.scope)] = writer.transport
        asked = [False]

        async def receive() -> Message:
            if not asked[0]:
                asked[0] = True
                return {"type": "http.request", "body": b"", "more_body": False}
            while await reader.read(MAX_TOLD):
                pass
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                if message["status"] != 200:
                    writer.transport.abort()
                return
            if body := message.get("body", b""):
                writer.write(b"%x\r\n%b\r\n" % (len(body), body))
            if not message.get("more_body"):
                writer.write(b"0\r\n\r\n")
                writer.close()
            await writer.drain()

        try:
            with contextlib.suppress(ConnectionError):
                await self._guard.carry_on(carried, receive, send)
        finally:
            del self._transports[id(carried.scope)]
            writer.close()
