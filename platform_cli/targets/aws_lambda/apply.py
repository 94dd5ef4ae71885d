"""Applies plans, for a laptop and for the platform on AWS alike."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import ReleaseError
from ...origin import Origin
from ...pipeline.stages import Stages
from ..base import Applied, KeepToken
from ..front_lines import front_lines
from .client import AWS, aws_errors
from .concurrency import wait_until_ready
from .executor import Executor
from .fronts import read_front
from .live import read_live
from .planner import LambdaPlan
from .status import status_of


def apply_plan(aws: AWS, plan: LambdaPlan, stages: Stages, origin: Callable[[], Origin], keep: KeepToken) -> Applied:
    """Applies a plan as Target.apply does.

    Raises ReleaseError, too, if the project was destroyed meanwhile.
    """
    project = plan.project
    executor = Executor(aws, plan, origin, keep=keep)
    with stages.run("apply") as stage:
        stage.cached = not plan.steps
        if plan.steps:
            executor.run()
    with aws_errors():
        live = read_live(aws, project)
        front = read_front(aws, live.tags)
    if live.active is None:
        raise ReleaseError(f"{project} was destroyed while it was deployed", hint="deploy it again")
    notes = tuple(front_lines(front.data())) if front else ()
    return Applied(status_of(project, live), changed=bool(plan.steps), token=executor.token, notes=notes)


def wait_for_instances(aws: AWS, plan: LambdaPlan, applied: Applied, stages: Stages) -> None:
    """Waits as Target.ready does."""
    if plan.desired.scaling.min:
        with stages.run("ready"):
            wait_until_ready(aws, plan.project, applied.status["release"] or "the release")
