"""homeport deploy --target lambda"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..config.project import Project
from ..errors import ConfigError
from ..findings.missing import explained
from ..findings.offers import check_offers
from ..findings.source import look_at
from ..home import Home
from ..pipeline.code import read_code
from ..pipeline.stages import Stages
from ..targets.aws_lambda.front_lines import front_lines
from .deploy_report import Report
from .env_file import with_env_file
from .output import Output
from .plans import plan_data, plan_text

if TYPE_CHECKING:
    from ..origin import Origin
    from ..targets.aws_lambda.client import AWS
    from ..targets.aws_lambda.executor import Executor
    from ..targets.aws_lambda.planner import LambdaPlan

# The ARN of the policy beyond which a role may do nothing that is made here: where a team's rules ask for one.
BOUNDARY_VARIABLE = "HOMEPORT_BOUNDARY"


def deploy_to_lambda(
    project: Project,
    values: Mapping[str, str],
    home: Home,
    stages: Stages,
    output: Output,
    *,
    allow_empty: bool,
    dry_run: bool,
) -> tuple[dict[str, Any], str]:
    """Built and inspected here, without the platform; what serves is left alone until the new version has answered.
    `values` are those of --env-file.
    """
    from ..origin import Origin, this_user
    from ..targets.aws_lambda.build import make_wanted
    from ..targets.aws_lambda.client import AWS
    from ..targets.aws_lambda.planner import make_plan
    from ..targets.aws_lambda.secrets_manager import ProjectSecrets

    project = bounded(project)
    aws, begun = AWS(project.on_lambda.region), time.monotonic()
    aws.prepare()
    aws.check_access()

    def origin() -> Origin:
        return Origin(this_user(), seconds=time.monotonic() - begun)

    try:
        if values:
            project = with_env_file(_named(project), values, lambda name, given: ProjectSecrets(aws, name).set(given))
        with explained(project):
            wanted, contract = make_wanted(project, lambda: aws, home, stages, output.note)
        if not allow_empty:
            check_offers(contract)
        with stages.run("plan"):
            plan = make_plan(aws, wanted)
        for note in plan.notes:
            output.note(note)
        if dry_run:
            return plan_data(wanted.project, plan.steps, stages), plan_text(wanted.project, plan.steps)
        status = apply(aws, plan, origin, contract, home, stages, output)
    finally:
        output.stop_spinner()
    found = look_at(project, read_code(project), os.environ) if plan.steps else ()
    report = Report(status, contract, found)
    return report.data(stages), report.text()


def apply(
    aws: AWS,
    plan: LambdaPlan,
    origin: Callable[[], Origin],
    contract: Mapping[str, Any] | None,
    home: Home,
    stages: Stages,
    output: Output,
) -> dict[str, Any]:
    """Carries the plan out, and waits for the instances that are to be kept ready. The project's status, whether it has
    `changed`, and its `token` if this made one.
    """
    from ..platform_client.connections import keep_token
    from ..targets.aws_lambda.concurrency import wait_until_ready
    from ..targets.aws_lambda.executor import Executor
    from ..targets.aws_lambda.target import LambdaTarget

    project = plan.wanted.project
    executor = Executor(
        aws,
        plan,
        origin,
        speaks_mcp=contract is not None,
        keep=lambda url, token: keep_token(url, token, home),
    )
    with _token_shown(executor, output):
        with stages.run("apply") as stage:
            stage.cached = not plan.steps
            if plan.steps:
                executor.run()
        status = LambdaTarget(aws).status(project)
        if plan.wanted.scaling.min:
            with stages.run("ready"):
                wait_until_ready(aws, project, status["release"] or project)
    for line in front_lines(status["front"]) if status["front"] else ():
        output.note(line)
    token = {"token": executor.token} if executor.token else {}
    return {**status, **token, "changed": bool(plan.steps)}


@contextmanager
def _token_shown(executor: Executor, output: Output) -> Iterator[None]:
    """Shows it also where something fails behind the steps that made it: it lets callers in, and nobody can read it
    again.
    """
    try:
        yield
    except BaseException:
        if executor.token is not None:
            output.stop_spinner()
            output.note(f"token: {executor.token}  (shown once; connect, tools and call know it on this machine)")
        raise


def bounded(project: Project) -> Project:
    """With the boundary of whoever deploys, which no project may leave out or replace. Raises ConfigError."""
    if not (boundary := os.environ.get(BOUNDARY_VARIABLE)):
        return project
    if project.on_lambda.boundary not in (None, boundary):
        raise ConfigError(
            f"{BOUNDARY_VARIABLE} is {boundary}, and boundary under [deployment.lambda] is another",
            hint="leave it out there",
        )
    return replace(project, on_lambda=replace(project.on_lambda, boundary=boundary))


def _named(project: Project) -> Project:
    """Raises ConfigError without a name: secrets are needed before the server has told its own."""
    if project.name is None:
        raise ConfigError(
            "--env-file makes secrets of a project, which has no name yet",
            hint="name it with --name, or with name under [project] in fastmcp.toml",
        )
    return project
