"""What `--dry-run` prints with `--json`: what a deploy would do."""

from __future__ import annotations

from typing import Literal, TypedDict


class PlannedStep(TypedDict):
    """One change that the deploy would make, in words for the person."""

    action: str
    detail: str


class TimedStage(TypedDict):
    """A stage of the command that took `seconds`; with `cached` there was nothing to do."""

    name: str
    seconds: float
    cached: bool


class ShownPlan(TypedDict):
    """The steps of a deploy that was not carried out; none where `changed` is False."""

    ok: Literal[True]
    project: str
    changed: bool
    plan: list[PlannedStep]
    stages: list[TimedStage]
