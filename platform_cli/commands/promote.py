"""homeport promote"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from ..config.names import check_name
from ..config.project import Project
from ..config.stages import in_stage
from ..errors import ConfigError, InputError
from ..home import open_home
from .deploy import read_project
from .options import json_option, target_name, target_option
from .output import Output
from .plans import plan_data, plan_text

# The stage that a project is without one.
PRODUCTION = "production"


@click.command("promote")
@click.argument("source")
@click.argument("to")
@click.argument("path", default=".")
@click.option("--name", help="The project's name; default: from fastmcp.toml.")
@target_option
@click.option("--dry-run", is_flag=True, help="Print the plan; change nothing that serves.")
@json_option
def promote_command(source: str, to: str, path: str, name: str | None, dry_run: bool, as_json: bool) -> None:
    """Give stage TO of the project at PATH the release that stage SOURCE serves: the same code and packages, with TO's
    own variables, secrets and settings. Nothing is built.

    production is the project without a stage, unless fastmcp.toml has [stages.production].
    """
    output = Output(as_json=as_json)
    project = read_project(path, name, ())
    if target_name(project) != "lambda":
        raise InputError(
            "promote moves releases on Lambda",
            hint="on a platform deploy the same commit with another --stage, or --target lambda",
        )
    if source == to:
        raise InputError(f"{source} cannot be promoted to itself")
    output.result(*_promote(_staged(project, source), _staged(project, to), output, dry_run=dry_run))


def _staged(project: Project, stage: str) -> Project:
    """Raises InputError for a stage that is not there, ConfigError without a name."""
    if stage != PRODUCTION or stage in project.stages:
        return in_stage(project, check_name(stage, "stage"))
    if project.name is None:
        raise ConfigError("the project has no name yet", hint="name it with name under [project] in fastmcp.toml")
    return project


def _promote(source: Project, to: Project, output: Output, *, dry_run: bool) -> tuple[dict[str, Any], str]:
    from ..targets.aws_lambda.client import AWS, aws_errors
    from ..targets.aws_lambda.planner import make_plan
    from ..targets.aws_lambda.promotion import promoted
    from .lambda_deploy import apply, bounded

    to, stages = bounded(replace(to, sessions=False)), output.stages()
    if source.on_lambda.region != to.on_lambda.region:
        raise ConfigError("the two stages are in different regions", hint="deploy each of them by itself")
    aws = AWS(to.on_lambda.region)
    aws.check_access()
    try:
        with aws_errors(), promoted(aws, source.name or "", to.name or "", to) as promotion:
            with stages.run("plan"):
                plan = make_plan(aws, promotion.wanted)
            for note in plan.notes:
                output.note(note)
            if dry_run:
                return plan_data(plan.wanted.project, plan.steps, stages), plan_text(plan.wanted.project, plan.steps)
            status = apply(aws, plan, lambda: promotion.origin, promotion.contract, open_home(), stages, output)
    finally:
        output.stop_spinner()
    shown = ("project", "release", "url", "mcp_url", "auth", "changed", "token")
    data = {"ok": True, "from": f"{source.name} {promotion.release}", **{k: status[k] for k in shown if k in status}}
    lines = [f"{status['project']} {status['release']} is {source.name} {promotion.release}: {status['mcp_url']}"]
    if not status["changed"]:
        lines = [f"{status['project']} serves that release already: no changes"]
    if "token" in status:
        lines.append(f"token: {status['token']}  (shown once; connect, tools and call know it on this machine)")
    return data, "\n".join(lines)
