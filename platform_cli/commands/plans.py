"""A plan that is only shown: what --dry-run prints, whatever the target."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from ..pipeline.stages import Stages
from ..targets.base import Step


def plan_data(project: str, steps: Sequence[Step], stages: Stages) -> dict[str, Any]:
    return {
        "ok": True,
        "project": project,
        "changed": bool(steps),
        "plan": [{"action": step.action, "detail": step.detail} for step in steps],
        "stages": [asdict(stage) for stage in stages.done],
    }


def plan_text(project: str, steps: Sequence[Step]) -> str:
    if not steps:
        return f"{project}: no changes"
    return "\n".join([f"{project}: deploying would", *step_lines(steps)])


def step_lines(steps: Iterable[Step]) -> list[str]:
    return [f"  {step.action:<7} {step.detail}" for step in steps]
