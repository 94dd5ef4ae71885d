"""What happens while the platform builds, told one line after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from .failure import Failure


class StageStarted(TypedDict):
    """A stage of the build begins."""

    event: Literal["start"]
    name: str


class StageEnded(TypedDict):
    """A stage of the build took `seconds`; with `cached` there was nothing to do."""

    event: Literal["end"]
    name: str
    seconds: float
    cached: bool


class Noted(TypedDict):
    """The build has something to say to the person."""

    event: Literal["note"]
    text: str


class Built(TypedDict):
    """The build is done: the bundle `hash` is on the platform, and its server offers what `contract` says."""

    event: Literal["bundle"]
    hash: str
    contract: Mapping[str, Any] | None


class BuildFailed(Failure):
    """The build has failed."""

    event: Literal["error"]


Progress = StageStarted | StageEnded | Noted
BuildEvent = Progress | Built | BuildFailed
