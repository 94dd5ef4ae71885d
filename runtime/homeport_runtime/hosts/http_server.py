"""Runs uvicorn's HTTP protocol on a socket that the supervisor owns, and accepts, stops and drains on its orders."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import uvicorn

from ..app import App
from ..guard.access import Access
from ..relay.workers import WorkerRelay
from .carried_streams import CarriedStreams
from .channel import Channel
from .handover import Connections, Exchange
from .last_words import last_answer
from .whereabouts import tell_where_when_asked

if TYPE_CHECKING:
    from ..relay.replicas import ReplicaRelay

# The seconds that open requests have to end once the worker drains.
DRAIN_S = 30.0
# The seconds that open requests have when the platform itself is gone: a worker never outlives it for long.
ORPHAN_DRAIN_S = 2.0
# The seconds in which connections without a request may still bring one, once the worker drains.
GRACE_S = 0.3
# The seconds after which a stream that nothing is said on is at rest: its client posts seldom, and hardly just then.
REST_S = 3.0
# The seconds from the end of the last request to the end of the process.
EXIT_S = 5.0
# The seconds between reports while there are requests, between reports without, and for handing connections to a new
# worker.
TICK_S = 0.5
BEAT_S = 1.5
SHARE_S = 0.5
# A number that is larger than that of any worker's connections.
ALL = 1 << 30
# The seconds for the answer to a call that the worker's end breaks off.
LAST_WORDS_S = 0.5
# Longer than the pools of common HTTP clients keep a connection, so that closing it is left to them.
KEEP_ALIVE_S = 75


class HTTPServer:
    def __init__(
        self, app: App, listener: socket.socket, exchange: Exchange, idle_s: float, relay_key: bytes | None = None
    ) -> None:
        self._app = app
        self._replicas = _replica_relay(app, listener, relay_key) if relay_key else None
        self._idle_s = idle_s
        self._listener = listener
        self._exchange = exchange
        self._closing = False
        self._stopped = False
        self._while_serving: dict[str, Callable[[dict[str, Any]], None]] = {}
        config = uvicorn.Config(
            self._replicas or app,
            http="h11",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
        )
        config.load()
        self._connections = Connections(config, exchange)
        self._state = self._connections.state
        self._carried = CarriedStreams(app.guard, exchange, self._state)

    async def run(self, channel: Channel) -> None:
        """Serves until the supervisor orders hand_over (other workers continue) or close (none does), or is gone."""
        tell_where_when_asked()
        loop = asyncio.get_running_loop()
        orders: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

        def listen_to_supervisor() -> None:
            while True:
                order = channel.receive()
                loop.call_soon_threadsafe(orders.put_nowait, order)
                if order is None:
                    return

        threading.Thread(target=listen_to_supervisor, name="supervisor", daemon=True).start()
        # At once, since a client's next step may be to refresh its token.
        self._app.guard.entrance.on_refused = lambda grant: channel.send(event="refused", grant=grant)
        relay = WorkerRelay(lambda message: channel.send(**message), self._app.guard.sessions.is_here)
        self._app.guard.sessions.relay = self._replicas or relay
        self._while_serving = {
            "share": lambda order: self._share(order["workers"]),
            "relayed": relay.answered,
            "relay": lambda order: self._take_relayed(order, relay, channel),
            "announce_close": lambda _order: self._announce_close(),
            "access": lambda order: self._admit(order, channel),
            "audit": self._note_audit,
        }
        clocks = [asyncio.create_task(work) for work in (self._tick(channel), self._connections.look_after())]
        try:
            while True:
                order = await orders.get()
                if order is not None and order["do"] in self._while_serving:
                    self._while_serving[order["do"]](order)
                    continue
                if order is None or order["do"] != "accept":
                    left = DRAIN_S
                    if order is not None and self._closing:
                        left -= await self._end_streams()
                    self._stop_accepting()
                    channel.send(event="stopped")
                    relaying = asyncio.create_task(self._obey(orders))
                    if order is not None and order["do"] == "hand_over":
                        await self._hand_over(relay)
                    else:
                        await self._close(left if order else ORPHAN_DRAIN_S)
                    relaying.cancel()
                    return
                self._connections.start_accepting(self._listener)
                self._exchange.start_taking(self._connections.take, self._carried.take)
                channel.send(event="accepting")
        finally:
            for clock in clocks:
                clock.cancel()

    async def _tick(self, channel: Channel) -> None:
        """Updates the Date header (RFC 9110, section 6.6.1), and reports open requests and idleness.

        The number of open requests is also the worker's sign of life.
        """
        served, reported, reported_at, quiet_since = -1, 0, 0.0, time.monotonic()
        while True:
            self._set_headers()
            guard = self._app.guard
            now = time.monotonic()
            if guard.open_requests or reported or now - reported_at >= BEAT_S:
                reported, reported_at = guard.open_requests, now
                channel.send(event="load", open=reported)
            if used := guard.entrance.take_used():
                channel.send(event="used", tokens=used)
            if guard.open_requests or guard.served != served:
                served, quiet_since = guard.served, now
            elif now - quiet_since >= self._idle_s:
                channel.send(event="idle")
                quiet_since = now
            await asyncio.sleep(TICK_S)

    def _set_headers(self) -> None:
        date = (b"date", formatdate(time.time(), usegmt=True).encode())
        self._state.default_headers = [date, (b"connection", b"close")] if self._closing else [date]

    def _announce_close(self) -> None:
        """Says with each answer that it is its connection's last, while new connections are still accepted."""
        self._closing = True
        self._set_headers()

    def _exit_after(self, seconds: float) -> None:
        """Ends the process after a time, whatever the server still does, since a thread that runs a tool cannot be
        stopped.
        """
        timer = threading.Timer(seconds, os._exit, [1])
        timer.daemon = True
        timer.start()

    def _stop_accepting(self) -> None:
        self._stopped = True
        self._exchange.stop_taking()
        self._connections.stop_accepting(self._listener)

    async def _obey(self, orders: asyncio.Queue[dict[str, Any] | None]) -> None:
        """Relays messages for streams that are still open here while the worker drains, and hears who may call."""
        while (order := await orders.get()) is not None:
            if order["do"] in ("relay", "relayed", "access", "audit"):
                self._while_serving[order["do"]](order)

    def _admit(self, order: dict[str, Any], channel: Channel) -> None:
        """Changes who may call, for the requests that come from now on."""
        if (access := Access.read(order["access"])) is not None:
            self._app.guard.entrance.admit(access)
        channel.send(event="admitted")

    def _note_audit(self, order: dict[str, Any]) -> None:
        if self._app.guard.passing.audit is not None:
            self._app.guard.passing.audit.has_room = order["has_room"]

    def _take_relayed(self, order: dict[str, Any], relay: WorkerRelay, channel: Channel) -> None:
        sessions = self._app.guard.sessions
        taken = sessions.has(order["query"].encode()) and relay.take(order, sessions.deliver)
        channel.send(event="relayed", number=order["number"], taken=taken)

    def _share(self, workers: int) -> None:
        """Hands another worker its part of the connections, and takes none back meanwhile."""
        self._exchange.stop_taking()
        self._connections.leave(len(self._state.connections) // workers)

        def take_again() -> None:
            self._connections.leaving = 0
            if not self._stopped:
                self._exchange.start_taking(self._connections.take, self._carried.take)

        asyncio.get_running_loop().call_later(SHARE_S, take_again)

    async def _hand_over(self, relay: WorkerRelay) -> None:
        """Hands every connection over to the project's other workers, those with a request when it is answered."""
        self._exit_after(DRAIN_S + EXIT_S)
        deadline = time.monotonic() + DRAIN_S
        self._connections.leave(ALL)
        await self._connections.settle()
        # The app may still have work to do after its answer was sent.
        while (self._state.connections or self._state.tasks) and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
            if not relay.is_delivering:
                self._carried.give()
                await self._app.guard.streams.end_quiet()
            self._connections.leave_idle()
        await self._abort()

    async def _end_streams(self) -> float:
        """Ends each stream once nobody waits for an answer on it, while its client and other replicas can still post.

        For REST_S it ends those that are in use with an answer alone. Returns how many seconds it took, at most
        DRAIN_S - ORPHAN_DRAIN_S and a moment.
        """
        began, streams = time.monotonic(), self._app.guard.streams
        while streams.are_open and time.monotonic() < began + DRAIN_S - ORPHAN_DRAIN_S:
            if self._replicas is None or not self._replicas.is_delivering:
                is_early = time.monotonic() < began + REST_S
                await (streams.end_at_rest(began - REST_S) if is_early else streams.end_quiet())
            await asyncio.sleep(0.01)
        return time.monotonic() - began

    async def _close(self, seconds: float) -> None:
        """Lets open requests finish when no worker continues, and closes what is still open after `seconds`."""
        self._exit_after(seconds + EXIT_S)
        self._announce_close()
        await self._connections.settle()
        # A request that is on its way is still answered, with the header that says that it was the last.
        grace = time.monotonic() + min(GRACE_S, seconds)
        while self._state.connections and time.monotonic() < grace:
            await asyncio.sleep(0.02)
        for connection in list(self._state.connections):
            connection.shutdown()
        deadline = time.monotonic() + seconds
        while (self._state.connections or self._state.tasks) and time.monotonic() < deadline:
            await self._app.guard.streams.end_quiet()
            await asyncio.sleep(0.02)
        await self._abort()

    async def _abort(self) -> None:
        """Ends what is still open; calls that have no answer yet get one, which says that they may be made again."""
        for connection in list(self._state.connections):
            if (answer := last_answer(getattr(connection, "cycle", None))) is not None:
                with contextlib.suppress(RuntimeError, asyncio.TimeoutError):
                    await asyncio.wait_for(answer, LAST_WORDS_S)
                # What was written is sent before the connection is closed.
                connection.transport.close()
            else:
                connection.transport.abort()
        for task in list(self._state.tasks):
            task.cancel()
        if self._state.tasks:
            await asyncio.wait(list(self._state.tasks), timeout=1.0)


def _replica_relay(app: App, listener: socket.socket, key: bytes) -> ReplicaRelay | None:
    # Imported late, since no worker of a platform needs it, and each would wait for it.
    from .replicas import replica_relay

    return replica_relay(app, listener, key)
