"""Defines what is kept of a group of errors where they are read from a log: what somebody has made of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ..api.error_group import Change
from ..records import MAX_TIME, is_number

STATES: Mapping[str, Change] = {"open": "open", "resolved": "resolved", "muted": "muted"}
MAX_RELEASE = 2**31


@dataclass(frozen=True, slots=True)
class GroupState:
    """Says that a group was made `state` at `at`, in seconds since 1970; `release` is the project's newest one of then
    if it was resolved.
    """

    state: Change
    release: int | None
    at: float

    def text(self) -> str:
        return json.dumps({"state": self.state, "release": self.release, "at": self.at})


class GroupStates(Protocol):
    """Keeps the states of a project's groups, each as a text by the group's key."""

    def read(self) -> Mapping[str, str]: ...

    def write(self, key: str, text: str) -> None:
        """Keeps one, and leaves the others as they are.

        Raises InputError where none can be kept.
        """
        ...


def read_state(text: str) -> GroupState | None:
    """Returns the state in a text that others may have changed, None if it holds none."""
    try:
        said = json.loads(text)
        state, release, at = STATES[said["state"]], said["release"], said["at"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    is_release = isinstance(release, int) and not isinstance(release, bool) and 0 <= release < MAX_RELEASE
    if not is_number(at, MAX_TIME) or is_release != (state == "resolved"):
        return None
    return GroupState(state, release if is_release else None, at)
