"""Makes, shows and applies plans, whatever the target."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ..origin import Origin
from ..pipeline.stages import Stages
from ..targets.base import AnyTarget, Applied, Candidate, Plan, Step
from .output import Output
from .token import kept_token_shown

if TYPE_CHECKING:
    from ..api.plan import ShownPlan, TimedStage


def make_plan(target: AnyTarget, candidate: Candidate, stages: Stages, output: Output) -> Plan:
    with stages.run("plan"):
        plan: Plan = target.plan(candidate)
    for note in plan.notes:
        output.note(note)
    return plan


def carry_out(target: AnyTarget, plan: Plan, origin: Callable[[], Origin], stages: Stages, output: Output) -> Applied:
    """Applies the plan; a new token is kept on this machine, and shown even if a later step fails."""
    with kept_token_shown(output) as keep:
        applied = target.apply(plan, stages, origin, keep)
        for note in applied.notes:
            output.note(note)
        target.ready(plan, applied, stages)
    return applied


def plan_data(plan: Plan, stages: Stages) -> ShownPlan:
    return {
        "ok": True,
        "project": plan.project,
        "changed": bool(plan.steps),
        "plan": [{"action": step.action, "detail": step.detail} for step in plan.steps],
        "stages": timed(stages),
    }


def timed(stages: Stages) -> list[TimedStage]:
    """Returns the stages that are done, with their seconds."""
    return [{"name": one.name, "seconds": one.seconds, "cached": one.cached} for one in stages.done]


def plan_text(plan: Plan) -> str:
    if not plan.steps:
        return f"{plan.project}: no changes"
    return "\n".join([f"{plan.project}: deploying would", *step_lines(plan.steps)])


def step_lines(steps: Iterable[Step]) -> list[str]:
    return [f"  {step.action:<7} {step.detail}" for step in steps]
