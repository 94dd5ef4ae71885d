"""Relays messages between the replicas of an image, which reach each other by their addresses in a network.

The name of a session has the address of the replica with its stream, sealed by a key that all replicas have: so none
can be led to another address, and none listens to anyone else.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import ipaddress
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple

from ..asgi import ASGIApp, Receive, Scope, Send, first_headers
from ..protocol.messages import MAX_BODY, BodyTooLarge, ClientGoneError, declared_length, read_body
from ..telemetry import emit
from .base import MAX_NAME, Deliver, NotHandedOver, Posted, posted_of, told
from .sealing import NotOpened, Seal

# The path under which replicas post to each other goes on with what only they know, so that a stranger's request is
# one like any other.
PATH = "/.homeport/relay/"
# The seconds until another replica must have taken a message.
TAKE_S = 5.0
TAG = 12
PORT_BYTES = 2
TAKEN, UNKNOWN = 202, 404
# What a sealed message may have beside its body, which is encoded.
MORE = 64 * 1024
MAX_SEALED = MAX_BODY * 4 // 3 + MORE


class Address(NamedTuple):
    host: str
    port: int

    def packed(self) -> bytes:
        return self.port.to_bytes(PORT_BYTES, "big") + ipaddress.ip_address(self.host).packed

    @classmethod
    def unpacked(cls, data: bytes) -> Address:
        """Raises ValueError for anything that `packed` does not return."""
        return cls(str(ipaddress.ip_address(data[PORT_BYTES:])), int.from_bytes(data[:PORT_BYTES], "big"))


class ReplicaRelay:
    """Is the relay of the replica at `here`; `is_here` tells whether a session's stream is open in it, and `deliver`
    takes a message for that.

    As an ASGI app it stands in front of `app`, and takes what other replicas post.
    """

    def __init__(
        self, app: ASGIApp, here: Address, key: bytes, is_here: Callable[[str], bool], deliver: Deliver
    ) -> None:
        self._app = app
        self._here = here
        self._key = key
        self._seal = Seal(key.hex())
        self._path = PATH + self._seal.place
        self._is_here = is_here
        self._deliver = deliver
        self._delivering: set[asyncio.Future[None]] = set()

    def public_name(self, own: str) -> str:
        """Returns the name of a session with the address of this replica."""
        address = self._here.packed()
        sealed = base64.urlsafe_b64encode(address + self._tag(own, address)).decode()
        return f"{own}.{sealed.rstrip('=')}"

    def _tag(self, own: str, address: bytes) -> bytes:
        return hmac.digest(self._key, own.encode() + b"\0" + address, "sha256")[:TAG]

    def _place(self, session: str) -> Address | None:
        """Returns the address in a session's name, None if no replica has given it that."""
        own, _, sealed = session.rpartition(".")
        try:
            data = base64.b64decode(sealed + "=" * (-len(sealed) % 4), altchars=b"-_", validate=True)
            address, tag = data[:-TAG], data[-TAG:]
            is_ours = hmac.compare_digest(tag, self._tag(own, address))
            return Address.unpacked(address) if is_ours else None
        except ValueError:
            return None

    async def pass_on(self, session: str, posted: Posted) -> bool:
        there = self._place(session) if len(session) <= MAX_NAME else None
        if there is None or there == self._here:
            return False
        try:
            sealed = self._seal.close(json.dumps({"session": session, **told(posted)}).encode())
            status = await asyncio.wait_for(_post(there, self._path, sealed), TAKE_S)
        except ConnectionRefusedError:
            # The replica is gone, and its sessions with it.
            return False
        except (OSError, ValueError, asyncio.TimeoutError) as problem:  # noqa: UP041 - they differ on Python 3.10
            emit("error", f"a message for {there.host} could not be handed over to its session: {problem!r}")
            raise NotHandedOver(answered=False) from None
        if status not in (TAKEN, UNKNOWN):
            emit("error", f"a message for {there.host} could not be handed over to its session: HTTP {status}")
            raise NotHandedOver(answered=False)
        return status == TAKEN

    def holding(self, session: str, end: Callable[[], Awaitable[None]]) -> AbstractAsyncContextManager[None]:
        """Does nothing, since the session's name says where it is."""
        return contextlib.nullcontext()

    @property
    def is_delivering(self) -> bool:
        """Tells whether a message taken of another replica has not reached its session yet."""
        return bool(self._delivering)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") != self._path or scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = await self._take(scope, receive)
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def _take(self, scope: Scope, receive: Receive) -> int:
        """Takes another replica's message, and returns the status of the answer, UNKNOWN for all that is no such."""
        try:
            if declared_length(first_headers(scope)) > MAX_SEALED:
                return UNKNOWN
            message = json.loads(self._seal.open(await read_body(receive, MAX_SEALED)))
        except (NotOpened, BodyTooLarge, ClientGoneError):
            return UNKNOWN
        if not self._is_here(message["session"]):
            return UNKNOWN
        delivering = asyncio.ensure_future(self._deliver(posted_of(message)))
        self._delivering.add(delivering)
        delivering.add_done_callback(self._delivering.discard)
        return TAKEN


async def _post(there: Address, path: str, content: bytes) -> int:
    """Posts to another replica, and returns the status of its answer."""
    reader, writer = await asyncio.open_connection(*there)
    try:
        host = f"[{there.host}]" if ":" in there.host else there.host
        head = f"POST {path} HTTP/1.1\r\nHost: {host}:{there.port}\r\nContent-Length: {len(content)}\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n".encode() + content)
        await writer.drain()
        _version, status, _reason = (await reader.readline()).split(b" ", 2)
        return int(status)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
