"""Extends uvicorn's HTTP connection: it answers plain requests without h11, and a worker can tell what it waits for.

All other requests are read by h11: with httptools uvicorn limits no header (it kept 197 MB of one) and loses the body
of a request that proposes HTTP/2 (`Upgrade: h2c`, RFC 7540 section 3.2), as Java's client and `curl --http2` do. While
a plain request is read and answered, h11 knows nothing of it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple, cast
from urllib.parse import unquote

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..asgi import Scope
from .joined_writes import JoinedWrites
from .plain_cycle import PlainCycle
from .plain_request import PlainRequest, read_plain

LOOPBACK = ("127.0.0.1", "::1")
# The header with the client of the reverse proxy, which is on this machine.
FORWARDED = b"x-forwarded-for"
# What an IPv4 address begins with as one of IPv6 (RFC 4291, section 2.5.5.2).
MAPPED = "::ffff:"


class Turn(Enum):
    """Says what the client has to do: to send the rest of a request, or to read an answer."""

    SENDS = "sends"
    READS = "reads"


class Progress(NamedTuple):
    """Counts the bytes `moved` in the `number`th turn of a connection's client; only differences mean something."""

    turn: Turn
    number: int
    moved: int


class Connection(H11Protocol):
    """Is one HTTP connection, which calls `between_requests` when it has no request any more."""

    def __init__(self, *arguments: Any, between_requests: Callable[[Connection], None], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._between_requests = between_requests
        self._received = 0
        self._turns = 0
        # A plain request whose body is incomplete, with its head, or what came while one was being answered.
        self._kept = b""
        self._begun: PlainRequest | None = None
        self.used_at = self.loop.time()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, JoinedWrites(transport, self.loop)))
        # On a socket of both families a caller over IPv4 would be ::ffff:192.0.2.1.
        if self.client is not None and (host := self.client[0]).startswith(MAPPED) and "." in host:
            self.client = (host.removeprefix(MAPPED), self.client[1])
        # uvicorn itself has no time limit for the first request.
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        self._take(self._kept + data if self._kept else data)

    def _take(self, data: bytes) -> None:
        """Answers what is the beginning of a plain request if it is complete, and leaves anything else to h11."""
        request, self._begun, self._kept = self._begun, None, b""
        if isinstance(self.cycle, PlainCycle) and not self.cycle.response_complete:
            self._kept = data
            self.flow.pause_reading()
            return
        if request is None and self.is_idle():
            request = read_plain(data)
        if request is None or len(data) > request.start + request.length:
            super().data_received(data)
            return
        self._unset_keepalive_if_required()
        if len(data) < request.start + request.length:
            # Its head is read once, however many pieces its body has.
            self._begun, self._kept = request, data
        else:
            self._answer(request, data[request.start :])

    def _answer(self, request: PlainRequest, body: bytes) -> None:
        self.headers = request.headers
        scope = self._scope(request)
        self.cycle = PlainCycle(self, scope, body, self.on_response_complete)
        task = self.loop.create_task(self.cycle.run_asgi(self.app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def _scope(self, request: PlainRequest) -> Scope:
        """Returns the ASGI scope that uvicorn would make of the request."""
        raw_path, _, query = request.target.partition(b"?")
        path = raw_path.decode("ascii")
        return {
            "type": "http",
            "asgi": {"version": self.config.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": request.method.decode("ascii"),
            "root_path": "",
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": request.headers,
            "state": self.app_state.copy(),
        }

    def on_response_complete(self) -> None:
        self._turns += 1
        self.used_at = self.loop.time()
        super().on_response_complete()
        if self._kept and not self.transport.is_closing():
            self._take(self._kept)
        self._between_requests(self)

    def resume_writing(self) -> None:
        self._turns += 1
        super().resume_writing()

    @property
    def unread(self) -> int:
        """Returns the number of bytes that neither the client nor the system has taken yet."""
        return self.transport.get_write_buffer_size()

    def reset(self) -> None:
        """Ends the connection at once, and drops what the system still holds for a client that does not read."""
        no_time = struct.pack("ii", 1, 0)
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_time)
        self.transport.abort()

    def is_idle(self) -> bool:
        """Tells whether no request has begun, is waiting or is being answered."""
        if self._kept or (self.cycle is not None and not self.cycle.response_complete):
            return False
        conn = self.conn
        return conn.our_state is conn.their_state is h11.IDLE and not conn.trailing_data[0]

    def progress(self) -> Progress | None:
        """Returns the client's progress, None if the connection does not wait for the client."""
        if self.flow.write_paused or (self.transport.is_closing() and self.unread):
            return Progress(Turn.READS, self._turns, -self.unread)
        begun = (
            self._kept
            or self.conn.their_state is h11.SEND_BODY
            or (self.conn.their_state is h11.IDLE and self.conn.trailing_data[0])
        )
        if begun and not self.flow.read_paused and not self.conn.they_are_waiting_for_100_continue:
            return Progress(Turn.SENDS, self._turns, self._received)
        return None

    def peer(self) -> str:
        """Returns the client's address, which the reverse proxy names if there is one."""
        host = self.client[0] if self.client else ""
        is_plain = isinstance(self.cycle, PlainCycle) and not self.cycle.response_complete
        if host in LOOPBACK and (is_plain or self.conn.their_state is not h11.IDLE):
            forwarded = [value for name, value in self.headers or () if name == FORWARDED]
            if forwarded:
                return forwarded[-1].rpartition(b",")[2].strip().decode("latin-1")
        return host
