"""Hands HTTP+SSE streams over to another worker in the middle of their answer, with what it has to know of them.

The answer's head and its first part have been sent; chunks follow (RFC 9112, section 7.1).
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

# The bytes that a pipe holds on every system until they are read (pipe(7); macOS begins with 16 KB).
MAX_TOLD = 16 * 1024


class CarriedStreams:
    """Hands streams over to the project's other workers, and continues those that they hand over."""

    def __init__(self, guard: Guard, exchange: Exchange, state: ServerState) -> None:
        self._guard = guard
        self._exchange = exchange
        self._state = state
        # The transports of streams that came from other workers, by the identity of their request's scope.
        self._transports: dict[int, asyncio.WriteTransport] = {}

    def give(self) -> None:
        """Hands over the streams that are quiet and can be carried; it is called until none is left."""
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
        # This closes this process's descriptor only, as in handover.py.
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
        """Continues a stream, whose description is read from the descriptor `told`."""
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
