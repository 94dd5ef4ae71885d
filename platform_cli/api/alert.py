"""Defines alerts, as `homeport alerts list --json` prints them."""

from __future__ import annotations

from typing import Literal

from .shape import Shape

Channel = Literal["webhook", "slack", "discord", "email"]
AlertKind = Literal[
    "error", "regression", "error-rate", "latency", "crash-loop", "deploy", "link", "certificate", "disk", "silent"
]


class AlertLimits(Shape):
    """Says when measured conditions are alarming: the share of calls that fail, the milliseconds within which 95 % are
    answered, and the seconds without a call. None never is.
    """

    error_rate: float | None
    p95_ms: float | None
    silent_s: float | None


class WantedAlert(AlertLimits):
    """Describes an alert to make.

    `url` is where it goes: http, https, smtp or smtps. `channel` is None for what the URL looks like, `project` None
    for all projects and the platform itself, `kinds` None for all that have no limit of None. With `private` the host
    may be one of the platform's own network.
    """

    url: str
    channel: Channel | None
    project: str | None
    kinds: list[AlertKind] | None
    private: bool


class ListedAlert(AlertLimits):
    """Describes an alert, with times in seconds since 1970, None for what has not happened.

    `target` is where it goes, without what is secret in its URL. `failure` is why the last message was not taken, with
    what the receiver said, up to 2,000 characters; it is None once one was.
    """

    id: str
    channel: Channel
    target: str
    project: str | None
    kinds: list[AlertKind]
    private: bool
    created_at: float
    sent_at: float | None
    failed_at: float | None
    failure: str | None


class NewAlert(ListedAlert):
    """Describes an alert that was just made, with the `key` that signs a webhook's messages, which is shown only once;
    None for other channels.
    """

    key: str | None


class AlertTested(Shape):
    """Says that the receiver of alert `id` has taken a message."""

    id: str
    target: str


class AlertRemoved(Shape):
    removed: str
