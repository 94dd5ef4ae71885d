"""Defines what the guard requires of a relay, and what relays transfer."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple, Protocol

from ..asgi import Headers

# No server chooses longer names for its sessions.
MAX_NAME = 200


class Posted(NamedTuple):
    """Is a message as it was posted; `query` names its session."""

    query: bytes
    headers: Headers
    body: bytes


def told(posted: Posted) -> dict[str, Any]:
    """Returns the message as JSON can have it."""
    return {
        "query": posted.query.decode("latin-1"),
        "headers": [(name.decode("latin-1"), value.decode("latin-1")) for name, value in posted.headers],
        "body": base64.b64encode(posted.body).decode(),
    }


def posted_of(told: Mapping[str, Any]) -> Posted:
    """Returns the message that `told` has described.

    Raises ValueError, LookupError or TypeError for anything else.
    """
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in told["headers"]]
    return Posted(told["query"].encode("latin-1"), headers, base64.b64decode(told["body"]))


# Takes a message in the process in which its session's stream is open.
Deliver = Callable[[Posted], Awaitable[None]]


# The headers of a message that was refused before it was handed over: its body is the event for
# the session's stream. No request has such a header.
REFUSED_HEADERS: Headers = [(b":refused", b"")]


class NotHandedOver(Exception):
    """Says that a message is for a known session and could not be transferred to it.

    `answered` tells whether the way to the session exists, so that another message may get there.
    """

    def __init__(self, *, answered: bool) -> None:
        super().__init__("the message could not be handed over to its session")
        self.answered = answered


class Relay(Protocol):
    """Transfers messages from the process that they were posted to, to the one with their session's stream."""

    def public_name(self, own: str) -> str:
        """Returns the name that clients get of a session which the app calls `own`, and whose stream is open here."""

    async def pass_on(self, session: str, posted: Posted) -> bool:
        """Returns whether another process has the session and has taken the message.

        Raises NotHandedOver if it has the session and the message cannot be transferred.
        """

    def holding(self, session: str, end: Callable[[], Awaitable[None]]) -> AbstractAsyncContextManager[None]:
        """Registers the session for as long as its stream is open here.

        `end` ends the stream, for when messages can no longer be transferred to it.
        """
