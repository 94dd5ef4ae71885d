"""Defines the events of a build on the platform, which are streamed one per line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from .failure import Failure


class StageStarted(TypedDict):
    """Reports that a stage of the build begins."""

    event: Literal["start"]
    name: str


class StageEnded(TypedDict):
    """Reports that a stage of the build took `seconds`; with `cached` there was nothing to do."""

    event: Literal["end"]
    name: str
    seconds: float
    cached: bool


class Noted(TypedDict):
    """Holds a message of the build for the person."""

    event: Literal["note"]
    text: str


class Built(TypedDict):
    """Reports that the bundle `hash` is on the platform, and that its server offers what `contract` lists.

    `contract` is None for an app without MCP.
    """

    event: Literal["bundle"]
    hash: str
    contract: Mapping[str, Any] | None


class BuildFailed(Failure):
    """Reports that the build has failed, and why."""

    event: Literal["error"]


Progress = StageStarted | StageEnded | Noted
BuildEvent = Progress | Built | BuildFailed
