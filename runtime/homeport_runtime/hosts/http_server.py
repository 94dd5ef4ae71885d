"""uvicorn's HTTP protocol on a socket that the supervisor owns: accept when told, stop and finish when told."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from email.utils import formatdate
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from ..app import App
from .channel import Channel

# Seconds that open requests have to end once the worker drains.
DRAIN_S = 30.0
# The same when the platform itself is gone: a worker never outlives it by more than seconds.
ORPHAN_DRAIN_S = 2.0
# Seconds in which connections without a request may still bring one, once the worker drains.
GRACE_S = 0.3
# Seconds from the end of the last request to the end of the process.
EXIT_S = 5.0
# Longer than the pools of common HTTP clients keep a connection, so that closing it is left to them.
KEEP_ALIVE_S = 75


class HTTPServer:
    def __init__(self, app: App, listener: socket.socket, idle_s: float | None) -> None:
        self._app = app
        self._idle_s = idle_s
        self._listener = listener
        self._state = ServerState()
        self._draining = False
        self._config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        self._config.load()

    async def run(self, channel: Channel) -> None:
        """Serves until the supervisor says drain or goes away."""
        loop = asyncio.get_running_loop()
        orders: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

        def listen_to_supervisor() -> None:
            while True:
                order = channel.receive()
                loop.call_soon_threadsafe(orders.put_nowait, order)
                if order is None:
                    return

        threading.Thread(target=listen_to_supervisor, name="supervisor", daemon=True).start()
        clock = asyncio.create_task(self._tick(channel))
        acceptor: asyncio.Server | None = None
        try:
            while True:
                order = await orders.get()
                if order is None or order["do"] == "drain":
                    await self._drain(acceptor, DRAIN_S if order else ORPHAN_DRAIN_S)
                    return
                if order["do"] == "accept":
                    acceptor = await loop.create_server(self._protocol, sock=self._listener, backlog=1024)
                    channel.send(event="accepting")
        finally:
            clock.cancel()

    def _protocol(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = self._config.http_protocol_class(  # type: ignore[call-arg]
            config=self._config, server_state=self._state, app_state={}
        )
        return protocol

    async def _tick(self, channel: Channel) -> None:
        """Once a second: the Date header (RFC 9110, section 6.6.1), and whether nobody has asked for long."""
        served, quiet_since = -1, time.monotonic()
        while True:
            self._set_headers()
            guard = self._app.guard
            if guard.open_requests or guard.served != served:
                served, quiet_since = guard.served, time.monotonic()
            elif self._idle_s is not None and time.monotonic() - quiet_since >= self._idle_s:
                channel.send(event="idle")
                quiet_since = time.monotonic()
            await asyncio.sleep(1.0)

    def _set_headers(self) -> None:
        date = (b"date", formatdate(time.time(), usegmt=True).encode())
        self._state.default_headers = [date, (b"connection", b"close")] if self._draining else [date]

    def _exit_after(self, seconds: float) -> None:
        """Ends the process whatever the server still does: a thread that runs a tool cannot be stopped."""
        timer = threading.Timer(seconds, os._exit, [1])
        timer.daemon = True
        timer.start()

    async def _drain(self, acceptor: asyncio.Server | None, seconds: float) -> None:
        """Stops accepting, lets open requests finish, closes what is still open after `seconds`."""
        self._exit_after(seconds + EXIT_S)
        if acceptor is not None:
            acceptor.close()
        self._draining = True
        self._set_headers()
        # A request that is on its way to us on an open connection is answered, and told that it was the last.
        grace = time.monotonic() + min(GRACE_S, seconds)
        while self._state.connections and time.monotonic() < grace:
            await asyncio.sleep(0.02)
        for connection in list(self._state.connections):
            connection.shutdown()
        deadline = time.monotonic() + seconds
        while self._state.connections and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        for connection in list(self._state.connections):
            connection.transport.abort()
        for task in list(self._state.tasks):
            task.cancel()
        if self._state.tasks:
            await asyncio.wait(list(self._state.tasks), timeout=1.0)
