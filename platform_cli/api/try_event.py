"""Defines the events of a request that is tried by hand, which are streamed one per line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from .failure import Failure
from .shape import Shape


class TryStarted(TypedDict):
    """Names the try, for replies to what the server asks meanwhile."""

    event: Literal["start"]
    id: str


class TryRequest(TypedDict):
    """Is what was sent to `url`, as it was sent, but without the token in its headers."""

    event: Literal["request"]
    url: str
    headers: list[tuple[str, str]]
    body: str


class TryProgress(TypedDict):
    """Reports the progress of the server's work, with `total` and `message` if it tells them."""

    event: Literal["progress"]
    progress: float
    total: float | None
    message: str | None


class TryLog(TypedDict):
    """Holds a log message that the server has sent to its client."""

    event: Literal["log"]
    level: str
    text: str


class TryElicitation(TypedDict):
    """Asks the person: to fill in a form of `schema`, or to visit `url`; the reply names `id`."""

    event: Literal["elicitation"]
    id: str
    message: str
    schema: Mapping[str, Any] | None
    url: str | None


class TryAnswer(TypedDict):
    """Is the answer as it came after `ms` milliseconds; of one that is too large `body` is the beginning alone."""

    event: Literal["answer"]
    status: int
    headers: list[tuple[str, str]]
    body: str
    is_complete: bool
    ms: float


class TryFailed(Failure):
    """Reports that no answer came, and why."""

    event: Literal["error"]


TryEvent = TryStarted | TryRequest | TryProgress | TryLog | TryElicitation | TryAnswer | TryFailed


class Replied(Shape):
    """Names the elicitation whose server has the person's reply now."""

    replied: str
