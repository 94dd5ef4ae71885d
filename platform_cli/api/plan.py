"""Defines what `--dry-run` prints with `--json`: what a deploy would do."""

from __future__ import annotations

from typing import Literal, TypedDict


class PlannedStep(TypedDict):
    """Describes one change that the deploy would make, in words for the person."""

    action: str
    detail: str


class TimedStage(TypedDict):
    """Holds a stage of the command, which took `seconds`; with `cached` there was nothing to do."""

    name: str
    seconds: float
    cached: bool


class ShownPlan(TypedDict):
    """Holds the steps of a deploy that was not carried out; there are none if `changed` is False."""

    ok: Literal[True]
    project: str
    changed: bool
    plan: list[PlannedStep]
    stages: list[TimedStage]
