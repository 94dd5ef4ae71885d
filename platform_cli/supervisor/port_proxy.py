"""Stands for a worker in a container that no descriptor can be passed to, between it and the platform.

It is a program whose arguments are the descriptors that the worker would get: control channel, standard output and
error, and, if it serves, the project's listener and the ends of its exchange. It connects each to the container's
published ports. Connections go to the worker byte by byte; they cannot go from one worker to the next, so the worker
closes them when others follow.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any

# As the container's zygote expects them (homeport_runtime.hosts.container.published).
ROLES = ("control", "stdout", "stderr")
HOST = "127.0.0.1"
CHUNK = 64 * 1024
# The seconds in which clients have to read what a worker that has ended wrote last.
LAST_BYTES_S = 5.0
# The seconds that a new connection may be on its way to the worker: an engine's own proxy may stand between.
ON_THE_WAY_S = 1.0
# The seconds until it is tried again to accept a connection, when there are too many.
PAUSE_S = 1.0
# Longer than every message of the control channel.
MAX_MESSAGE = 64 * 1024 * 1024

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def main(descriptors: Sequence[int], word: str, ports: Mapping[int, int]) -> None:
    """Passes on what comes, until the worker, or the platform, has ended."""
    orders = next(iter(ports.values()))
    inside = {role: await _connected(orders) for role in ROLES}
    for role, (_, writer) in inside.items():
        writer.write(f"{word} {role}\n".encode())
    control, *outputs = descriptors[:3]
    ours = await asyncio.open_connection(sock=socket.socket(fileno=control), limit=MAX_MESSAGE)
    port = 0
    if serves := descriptors[3:]:
        line = await inside["control"][0].readline()
        port = ports[int(line)] if line.strip() else 0
    entrance = Entrance(port, [socket.socket(fileno=each) for each in serves])
    written = [
        asyncio.ensure_future(_copy_output(inside[role][0], output))
        for role, output in zip(ROLES[1:], outputs, strict=True)
    ]
    ordering = asyncio.ensure_future(_pass_orders(ours[0], inside["control"][1], entrance))
    await _pass_reports(inside["control"][0], ours[1], entrance)
    entrance.close()
    await asyncio.wait(written)
    ordering.cancel()
    await entrance.ended()


async def _connected(port: int) -> Streams:
    return await asyncio.open_connection(HOST, port, limit=MAX_MESSAGE)


async def _pass_orders(platform: asyncio.StreamReader, worker: asyncio.StreamWriter, entrance: Entrance) -> None:
    with contextlib.suppress(OSError):
        while line := await platform.readline():
            if (order := _for_container(line)) is not None:
                if json.loads(order).get("do") == "close":
                    # Nobody but this worker can take what is on its way to it.
                    entrance.close()
                    await entrance.settled()
                worker.write(order)
                await worker.drain()
        worker.close()


def _for_container(line: bytes) -> bytes | None:
    """Returns an order as it can be carried out where no connection leaves the container."""
    order: dict[str, Any] = json.loads(line)
    match order.get("do"):
        case "hand_over":
            return b'{"do":"close"}\n'
        case "share":
            return None
    return line


async def _pass_reports(worker: asyncio.StreamReader, platform: asyncio.StreamWriter, entrance: Entrance) -> None:
    with contextlib.suppress(OSError, ValueError):
        while line := await worker.readline():
            entrance.note(line)
            platform.write(line)
            await platform.drain()


async def _copy_output(worker: asyncio.StreamReader, output: int) -> None:
    with contextlib.suppress(OSError), open(output, "wb", buffering=0) as pipe:
        while data := await worker.read(CHUNK):
            await asyncio.to_thread(_write, pipe, data)


def _write(pipe: Any, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[pipe.write(view) :]


class Entrance:
    """Accepts the project's connections while the worker does, and connects each to the worker's port."""

    def __init__(self, port: int, sockets: Sequence[socket.socket]) -> None:
        self._port = port
        # The listener, and the exchange's end at which connections arrive that waited while no worker ran.
        self._arrivals = (sockets[0], sockets[2]) if sockets else None
        self._accepts = False
        self._open: set[asyncio.Task[None]] = set()
        # Of each open connection, whether the worker has answered on it.
        self._answered: set[asyncio.Event] = set()

    def note(self, report: bytes) -> None:
        """Starts and stops accepting as a worker reports."""
        with contextlib.suppress(ValueError, AttributeError):
            match json.loads(report).get("event"):
                case "accepting":
                    self._accept()
                case "stopped":
                    self.close()

    def _accept(self) -> None:
        if self._arrivals is None or self._accepts:
            return
        self._accepts = True
        listener, taken = self._arrivals
        for each in self._arrivals:
            each.setblocking(False)
        loop = asyncio.get_running_loop()
        loop.add_reader(listener, self._take_new, listener)
        loop.add_reader(taken, self._take_waiting, taken)

    def close(self) -> None:
        if self._accepts and self._arrivals is not None:
            self._accepts = False
            for each in self._arrivals:
                asyncio.get_running_loop().remove_reader(each)

    async def settled(self) -> None:
        """Waits until the worker has answered on each connection that it was given, for a time at most."""
        if waiting := [asyncio.ensure_future(answered.wait()) for answered in self._answered]:
            _done, silent = await asyncio.wait(waiting, timeout=ON_THE_WAY_S)
            for each in silent:
                each.cancel()

    async def ended(self) -> None:
        """Waits until what a worker that has ended wrote last is on its way to the clients."""
        if self._open:
            await asyncio.wait(self._open, timeout=LAST_BYTES_S)

    def _take_new(self, listener: socket.socket) -> None:
        try:
            self._pass_on(listener.accept()[0])
        except BlockingIOError:
            """Another worker has accepted it."""
        except OSError:
            # No descriptor is left, and the connection that waits would wake this process without end.
            loop = asyncio.get_running_loop()
            loop.remove_reader(listener)
            loop.call_later(PAUSE_S, self._resume, listener)

    def _resume(self, listener: socket.socket) -> None:
        if self._accepts:
            asyncio.get_running_loop().add_reader(listener, self._take_new, listener)

    def _take_waiting(self, taken: socket.socket) -> None:
        with contextlib.suppress(OSError):
            _byte, descriptors, _flags, _address = socket.recv_fds(taken, 1, 2)
            if len(descriptors) == 1:
                self._pass_on(socket.socket(fileno=descriptors[0]))
                return
            # The answer in whose middle a connection is cannot be continued in the container.
            for each in descriptors:
                os.close(each)

    def _pass_on(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        answered = asyncio.Event()
        task = asyncio.ensure_future(_pass_on(connection, self._port, answered))
        self._open.add(task)
        self._answered.add(answered)

        def end(_task: asyncio.Task[None]) -> None:
            self._open.discard(task)
            self._answered.discard(answered)
            answered.set()

        task.add_done_callback(end)


async def _pass_on(connection: socket.socket, port: int, answered: asyncio.Event) -> None:
    with contextlib.suppress(OSError):
        client = await asyncio.open_connection(sock=connection)
        try:
            server = await _connected(port)
        except OSError:
            client[1].close()
            return
        for writer in (client[1], server[1]):
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        asking = asyncio.ensure_future(_copy(client[0], server[1]))
        await _copy(server[0], client[1], answered)
        asking.cancel()
        server[1].close()
        client[1].close()
        await client[1].wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, begun: asyncio.Event | None = None) -> None:
    """Copies until the end, and sets `begun` with the first bytes."""
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            if begun is not None:
                begun.set()
            writer.write(data)
            await writer.drain()
        writer.write_eof()


if __name__ == "__main__":
    told = json.load(sys.stdin)
    # The container may end at any time.
    with contextlib.suppress(ConnectionError):
        asyncio.run(main(list(map(int, sys.argv[1:])), told["word"], dict(told["ports"])))
