"""Defines what the guard requires of a relay, and what relays transfer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from ..asgi import Headers


class Posted(NamedTuple):
    """Is a message as it was posted; `query` names its session."""

    query: bytes
    headers: Headers
    body: bytes


# Takes a message in the process in which its session's stream is open.
Deliver = Callable[[Posted], Awaitable[None]]


class NotHandedOver(Exception):
    """Says that a message is for a known session and could not be transferred to it."""


class Relay(Protocol):
    """Transfers messages from the process that they were posted to, to the one with their session's stream."""

    async def pass_on(self, session: str, posted: Posted) -> bool:
        """Returns whether another process has the session and has taken the message.

        Raises NotHandedOver if it has the session and the message cannot be transferred.
        """

    def holding(self, session: str, end: Callable[[], Awaitable[None]]) -> AbstractAsyncContextManager[None]:
        """Registers the session for as long as its stream is open here.

        `end` ends the stream, for when messages can no longer be transferred to it.
        """
