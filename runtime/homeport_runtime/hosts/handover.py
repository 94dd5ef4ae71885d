"""Keep-alive connections that change workers: handed over between two requests, the client notices nothing.

Closing an idle connection races with the client's next request on it, which is then lost. So a worker that stops
passes its open connections on, over a socket pair that all workers of a project share (SCM_RIGHTS): like the listening
socket, but for connections that are established already. What a client has sent meanwhile waits in the kernel.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from .http_connection import Connection
from .limits import open_files
from .patience import Patience

# Many turns of the event loop, where asyncio needs three to make a connection of an accepted socket.
SETTLE_S = 0.05
# Connections taken in one turn of the event loop by a worker that has nobody to leave some to. Requests that come
# together are then worked on side by side, step by step, which is a fifth cheaper than one behind the other.
ALONE = 64
# Seconds without accepting after the system has refused a descriptor.
ACCEPT_PAUSE_S = 1.0
# Seconds between two looks for clients that are waited for.
LOOK_S = 1.0
# Idle connections that are closed at a time where there are as many as there may be.
CLOSED_AT_ONCE = 16

Use = Callable[[socket.socket], None]
CarryOn = Callable[[socket.socket, int], None]


class Exchange:
    """Both ends of the project's socket pair: `give` connections to whoever serves, `take` those that others gave.

    `at_once` connections are taken in one turn of the event loop, from here as from the listening socket.
    """

    def __init__(self, give: socket.socket, take: socket.socket, at_once: int) -> None:
        for end in (give, take):
            end.setblocking(False)
        self._give = give
        self._take = take
        self.at_once = at_once

    def give(self, *descriptors: int) -> bool:
        """A connection, and what goes with it. False when too many are on their way already: try again in a moment."""
        try:
            socket.send_fds(self._give, [b"\0"], descriptors)
        except OSError as error:
            # The last two are said of all that a user has on the way (unix(7)).
            if error.errno in (errno.EAGAIN, errno.ETOOMANYREFS, errno.ENOBUFS):
                return False
            raise
        return True

    def start_taking(self, use: Use, carry_on: CarryOn) -> None:
        """`use` gets each connection; `carry_on` those that come in the middle of an answer, with what tells of it."""
        asyncio.get_running_loop().add_reader(self._take.fileno(), self._receive, use, carry_on)

    def stop_taking(self) -> None:
        asyncio.get_running_loop().remove_reader(self._take.fileno())

    def _receive(self, use: Use, carry_on: CarryOn) -> None:
        for _ in range(self.at_once):
            try:
                # One byte goes with each connection, so that several workers can read without mixing them up.
                _byte, descriptors, _flags, _address = socket.recv_fds(self._take, 1, 2)
            except BlockingIOError:
                return
            if not descriptors:
                return
            connection = socket.socket(fileno=descriptors[0])
            connection.setblocking(False)
            if len(descriptors) == 1:
                use(connection)
            else:
                carry_on(connection, descriptors[1])


class Connections:
    """The open HTTP connections of a worker; while `leaving` each is handed over as soon as no request is on it."""

    def __init__(self, config: uvicorn.Config, exchange: Exchange) -> None:
        self.state = ServerState()
        self.leaving = 0
        self._config = config
        self._exchange = exchange
        self._arriving: set[asyncio.Task[Any]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._patience = Patience()
        # The server wants some for its own files, and to connect elsewhere.
        self._most = open_files() * 7 // 8

    def make(self) -> asyncio.Protocol:
        """The protocol for a new connection."""
        return Connection(
            config=self._config, server_state=self.state, app_state={}, between_requests=self._hand_over_idle
        )

    @property
    def _open(self) -> list[Connection]:
        """The HTTP connections, the one that was used last at the end; those that became WebSockets are not ours."""
        found = [each for each in self.state.connections if isinstance(each, Connection)]
        return sorted(found, key=lambda connection: connection.used_at)

    async def look_after(self) -> None:
        """Closes, as long as it runs, connections whose client has not done its part for long."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_S)
            for connection in self._patience.exhausted(self._open, loop.time()):
                connection.reset()

    def start_accepting(self, listener: socket.socket) -> None:
        """Not by an asyncio.Server: when that is closed it drops what it has accepted in the same turn of the loop."""
        listener.setblocking(False)
        asyncio.get_running_loop().add_reader(listener.fileno(), self._accept, listener)

    def stop_accepting(self, listener: socket.socket) -> None:
        if self._pause is not None:
            self._pause.cancel()
        asyncio.get_running_loop().remove_reader(listener.fileno())

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(self._exchange.at_once):
            try:
                connection, _address = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                # Out of descriptors: the connection waits, here or for another worker.
                loop = asyncio.get_running_loop()
                loop.remove_reader(listener.fileno())
                self._pause = loop.call_later(ACCEPT_PAUSE_S, self.start_accepting, listener)
                return
            connection.setblocking(False)
            self.take(connection)

    def take(self, connection: socket.socket) -> None:
        """Goes on with a connection that was accepted, here or by another worker."""
        if len(self.state.connections) >= self._most:
            self._close_oldest()
        # asyncio does so only for sockets that were opened with their protocol's number.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.connect_accepted_socket(self.make, connection))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)

    async def settle(self) -> None:
        """Waits until what was accepted or taken a moment ago is among the connections: asyncio does so in steps."""
        await asyncio.sleep(SETTLE_S)
        while self._arriving:
            await asyncio.wait(set(self._arriving))

    def leave(self, count: int) -> None:
        """Hands `count` connections over, the idle ones now, others when their request is answered."""
        self.leaving = count
        self.leave_idle()

    def leave_idle(self) -> None:
        """The one that was idle for longest goes first, here as wherever it waits."""
        for connection in self._open:
            self._hand_over_idle(connection)

    def _close_oldest(self) -> None:
        """Their clients connect again when they need one: those who come now need one already."""
        idle = [connection for connection in self._open if connection.is_idle()]
        for connection in idle[:CLOSED_AT_ONCE]:
            connection.transport.close()

    def _hand_over_idle(self, connection: Connection) -> None:
        if self.leaving and connection.is_idle() and self._hand_over(connection.transport):
            self.leaving -= 1

    def _hand_over(self, transport: asyncio.Transport) -> bool:
        if transport.is_closing() or transport.get_write_buffer_size():
            return False
        if not self._exchange.give(transport.get_extra_info("socket").fileno()):
            return False
        # Closes this process's descriptor only: the connection lives on in the one that was given.
        transport.abort()
        return True
