"""Implements `homeport promote`."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from ..config.names import check_name
from ..config.project import Project
from ..config.stages import in_stage
from ..errors import ConfigError, InputError
from ..targets.base import Applied, Promotion
from .deploy import read_project
from .options import json_option, target_of, target_option
from .output import Output
from .plans import carry_out, make_plan, plan_data, plan_text
from .registration import register, registration_of
from .token import token_line

if TYPE_CHECKING:
    from ..api.deploy_report import PromoteReport
    from ..api.plan import ShownPlan

# The name of the stage of a project without a stage.
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
    if source == to:
        raise InputError(f"{source} cannot be promoted to itself")
    project = read_project(path, name, ())
    output.result(*_promote(_staged(project, source), _staged(project, to), output, dry_run=dry_run))


def _staged(project: Project, stage: str) -> Project:
    """Raises InputError for a stage that is not there, ConfigError without a name."""
    if stage != PRODUCTION or stage in project.stages:
        return in_stage(project, check_name(stage, "stage"))
    if project.name is None:
        raise ConfigError("the project has no name yet", hint="name it with name under [project] in fastmcp.toml")
    return project


def _promote(source: Project, to: Project, output: Output, *, dry_run: bool) -> tuple[PromoteReport | ShownPlan, str]:
    target, stages = target_of(to), output.stages()
    with ExitStack() as during:
        during.callback(output.stop_spinner)
        registration = registration_of(to)
        promotion = during.enter_context(target.promoted(source, to))
        plan = make_plan(target, promotion.candidate, stages, output)
        if dry_run:
            return plan_data(plan, stages), plan_text(plan)
        applied = carry_out(target, plan, lambda: promotion.origin, stages, output)
        if registration is not None:
            register(registration, to, applied.status, output)
    return _told(promotion, applied)


def _told(promotion: Promotion, applied: Applied) -> tuple[PromoteReport, str]:
    status, before = applied.status, f"{promotion.source} {promotion.release}"
    report: PromoteReport = {
        "ok": True,
        "from": before,
        "project": status["project"],
        "release": status["release"],
        "url": status["url"],
        "mcp_url": status["mcp_url"],
        "auth": status["auth"],
        "changed": applied.changed,
    }
    lines = [f"{status['project']} {status['release']} is {before}: {status['mcp_url']}"]
    if not applied.changed:
        lines = [f"{status['project']} serves that release already: no changes"]
    if applied.token:
        report["token"] = applied.token
        lines.append(token_line(applied.token))
    return report, "\n".join(lines)
