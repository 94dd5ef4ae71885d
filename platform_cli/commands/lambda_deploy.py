"""homeport deploy --target lambda"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from ..build.code import read_code
from ..build.stages import Stages
from ..config.project import Project
from ..deploy_report import Report
from ..errors import ConfigError
from ..findings.missing import explained
from ..findings.offers import check_offers
from ..findings.source import look_at
from ..home import Home
from ..output import Output
from .env_file import with_env_file
from .plans import plan_data, plan_text


def deploy_to_lambda(
    project: Project,
    values: Mapping[str, str],
    home: Home,
    stages: Stages,
    output: Output,
    *,
    allow_empty: bool,
    dry_run: bool,
) -> None:
    """Built and inspected here, without the platform; what serves is left alone until the new version has answered.
    `values` are those of --env-file.
    """
    from ..controlplane.client import this_user
    from ..controlplane.connections import keep_token
    from ..controlplane.store import Origin
    from ..secrets.secrets_manager import ProjectSecrets
    from ..targets.aws_lambda.build import make_wanted
    from ..targets.aws_lambda.client import AWS
    from ..targets.aws_lambda.concurrency import wait_until_ready
    from ..targets.aws_lambda.executor import Executor
    from ..targets.aws_lambda.planner import make_plan
    from ..targets.aws_lambda.target import LambdaTarget

    aws, begun = AWS(project.on_lambda.region), time.monotonic()
    aws.prepare()

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
        if dry_run:
            output.result(plan_data(wanted.project, plan.steps, stages), plan_text(wanted.project, plan.steps))
            return
        executor = Executor(aws, plan, origin, speaks_mcp=contract is not None)
        with stages.run("apply") as stage:
            stage.cached = not plan.steps
            if plan.steps:
                executor.run()
        status = LambdaTarget(aws).status(wanted.project)
        if executor.token is not None:
            keep_token(status["url"], executor.token, home)
        if wanted.scaling.min:
            with stages.run("ready"):
                wait_until_ready(aws, wanted.project, status["release"])
    finally:
        output.stop_spinner()
    found = look_at(project, read_code(project), os.environ) if plan.steps else ()
    token = {"token": executor.token} if executor.token else {}
    report = Report({**status, **token, "changed": bool(plan.steps)}, contract, found)
    output.result(report.data(stages), report.text())


def _named(project: Project) -> Project:
    """Raises ConfigError without a name: secrets are needed before the server has told its own."""
    if project.name is None:
        raise ConfigError(
            "--env-file makes secrets of a project, which has no name yet",
            hint="name it with --name, or with name under [project] in fastmcp.toml",
        )
    return project
