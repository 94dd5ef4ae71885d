"""Defines what an alert is, and what it tells of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from ..api.alert import AlertKind, Channel

KINDS: tuple[AlertKind, ...] = get_args(AlertKind)
# What is of the platform as a whole: it is told by alerts without a project.
PLATFORM: tuple[AlertKind, ...] = ("certificate", "disk")
# The share of calls that has to fail unless an alert says otherwise.
ERROR_RATE = 0.05
# The longest text that a message has, and the longest title.
MAX_TEXT, MAX_TITLE = 2000, 200


@dataclass(frozen=True, slots=True)
class Limits:
    """Says when measured conditions are alarming (api.alert.AlertLimits)."""

    error_rate: float | None = ERROR_RATE
    p95_ms: float | None = None
    silent_s: float | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """Is what a person wants to be told of `project`, None for all and for the platform, and where to.

    `target` is shown, since it has nothing secret of the URL.
    """

    id: str
    channel: Channel
    target: str
    project: str | None
    kinds: tuple[AlertKind, ...]
    private: bool
    limits: Limits

    def wants(self, kind: AlertKind, project: str | None) -> bool:
        return kind in self.kinds and self.project in (None, project)


@dataclass(frozen=True, slots=True)
class Event:
    """Is something that has happened to a project, or to the platform if that is None.

    Events of one `kind`, `project` and `group` are told once an hour at most; a group of errors is one. One that
    `lasts` is a condition that is looked at again and again, so that it counts once.
    """

    kind: AlertKind
    project: str | None
    title: str
    text: str = ""
    group: str = ""
    release: str | None = None
    lasts: bool = False


def one_line(text: str, most: int = MAX_TITLE) -> str:
    """Returns a stranger's text as one line of bounded length, without what could steer a terminal or hide text."""
    shown = "".join(each if each.isprintable() else " " for each in text[: most + 1])
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"
