"""What the guard asks of a relay, and what relays hand over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from ..asgi import Headers


class Posted(NamedTuple):
    """A message as it was posted; `query` names its session."""

    query: bytes
    headers: Headers
    body: bytes


# Takes a message in where its session's stream is open.
Deliver = Callable[[Posted], Awaitable[None]]


class NotHandedOver(Exception):
    """The message has a session, and could not be brought to it."""


class Relay(Protocol):
    """The way from the process that a message was posted to, to the one that has its session's stream."""

    async def pass_on(self, session: str, posted: Posted) -> bool:
        """Whether another process has the session, and has taken the message. Raises NotHandedOver."""

    def holding(self, session: str, end: Callable[[], Awaitable[None]]) -> AbstractAsyncContextManager[None]:
        """Makes the session known, for as long as its stream is open here. `end` ends the stream, where it can no
        longer be told what is posted for it.
        """
