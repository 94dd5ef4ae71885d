"""Hands keep-alive connections over to other workers, between two requests and unnoticed by their clients.

Closing an idle connection would race with the client's next request on it, which would be lost. So a worker that stops
passes its open connections on, over a socket pair that all workers of a project share (SCM_RIGHTS). What a client has
sent meanwhile waits in the kernel.
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

# The seconds that allow many turns of the event loop; asyncio needs three to make a connection of an accepted socket.
SETTLE_S = 0.05
# The connections that a worker takes in one turn of the event loop if there is no other worker. Requests that come
# together are then interleaved, which is a fifth cheaper than one after the other.
ALONE = 64
# The seconds without accepting after the system has refused a descriptor.
ACCEPT_PAUSE_S = 1.0
# The interval, in seconds, in which clients that keep the worker waiting are looked for.
LOOK_S = 1.0
# The number of idle connections that are closed at a time when the limit is reached.
CLOSED_AT_ONCE = 16

Use = Callable[[socket.socket], None]
CarryOn = Callable[[socket.socket, int], None]


class Exchange:
    """Holds both ends of the project's socket pair: `give` passes connections on, `take` receives those of other
    workers.

    `at_once` connections are taken in one turn of the event loop, from here as from the listening socket.
    """

    def __init__(self, give: socket.socket, take: socket.socket, at_once: int) -> None:
        for end in (give, take):
            end.setblocking(False)
        self._give = give
        self._take = take
        self.at_once = at_once

    def give(self, *descriptors: int) -> bool:
        """Passes a connection on, with descriptors that belong to it, and returns False if too many are on their way
        already.
        """
        try:
            socket.send_fds(self._give, [b"\0"], descriptors)
        except OSError as error:
            # The last two errors concern all descriptors that the user has on the way (unix(7)).
            if error.errno in (errno.EAGAIN, errno.ETOOMANYREFS, errno.ENOBUFS):
                return False
            raise
        return True

    def start_taking(self, use: Use, carry_on: CarryOn) -> None:
        """Calls `use` with each connection, and `carry_on` with one in the middle of an answer and
        what describes it.
        """
        asyncio.get_running_loop().add_reader(self._take.fileno(), self._receive, use, carry_on)

    def stop_taking(self) -> None:
        asyncio.get_running_loop().remove_reader(self._take.fileno())

    def _receive(self, use: Use, carry_on: CarryOn) -> None:
        for _ in range(self.at_once):
            try:
                # Each connection comes with one byte, so that several workers can read without mixing them up.
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
    """Holds the open HTTP connections of a worker; while `leaving`, each is handed over as soon as it
    has no request.
    """

    def __init__(self, config: uvicorn.Config, exchange: Exchange) -> None:
        self.state = ServerState()
        self.leaving = 0
        self._config = config
        self._exchange = exchange
        self._arriving: set[asyncio.Task[Any]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._patience = Patience()
        # The server needs the others for its own files and connections.
        self._most = open_files() * 7 // 8

    def make(self) -> asyncio.Protocol:
        """Returns the protocol for a new connection."""
        return Connection(
            config=self._config, server_state=self.state, app_state={}, between_requests=self._hand_over_idle
        )

    @property
    def _open(self) -> list[Connection]:
        """Returns the HTTP connections, the one used last at the end, without those that became WebSockets."""
        found = [each for each in self.state.connections if isinstance(each, Connection)]
        return sorted(found, key=lambda connection: connection.used_at)

    async def look_after(self) -> None:
        """Closes, for as long as it runs, connections whose client has kept the worker waiting for too long."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_S)
            for connection in self._patience.exhausted(self._open, loop.time()):
                connection.reset()

    def start_accepting(self, listener: socket.socket) -> None:
        """Accepts connections without an asyncio.Server, which drops what it has just accepted when it is closed."""
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
                # There are no descriptors left: the connection waits, for this or another worker.
                loop = asyncio.get_running_loop()
                loop.remove_reader(listener.fileno())
                self._pause = loop.call_later(ACCEPT_PAUSE_S, self.start_accepting, listener)
                return
            connection.setblocking(False)
            self.take(connection)

    def take(self, connection: socket.socket) -> None:
        """Serves a connection that was accepted, here or by another worker."""
        if len(self.state.connections) >= self._most:
            self._close_oldest()
        # asyncio sets it only for sockets that were opened with their protocol's number.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.connect_accepted_socket(self.make, connection))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)

    async def settle(self) -> None:
        """Waits until what has just been accepted or taken is among the connections, which takes
        asyncio several steps.
        """
        await asyncio.sleep(SETTLE_S)
        while self._arriving:
            await asyncio.wait(set(self._arriving))

    def leave(self, count: int) -> None:
        """Hands `count` connections over, the idle ones now, others when their request is answered."""
        self.leaving = count
        self.leave_idle()

    def leave_idle(self) -> None:
        """Hands over the idle connections, the one that was idle for longest first."""
        for connection in self._open:
            self._hand_over_idle(connection)

    def _close_oldest(self) -> None:
        """Closes connections that were idle for longest, whose clients can connect again, in favour of those who
        connect now.
        """
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
        # This closes this process's descriptor only; the connection lives on in the other process.
        transport.abort()
        return True
