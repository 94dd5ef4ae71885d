"""Implements `homeport deploy`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..config.environment import check_variable
from ..config.load import load_project
from ..config.names import check_name
from ..config.project import Project
from ..config.sources import is_source, opened
from ..config.stages import in_stage
from ..errors import InputError
from ..findings.libraries import find_library_changes
from ..findings.missing import explained
from ..findings.model import Finding
from ..findings.offers import check_offers
from ..findings.source import look_at
from ..home import open_home
from ..origin import Origin, this_user
from .deploy_report import Report
from .options import (
    ServerArguments,
    json_option,
    server_arguments,
    stage_option,
    target_of,
    target_option,
)
from .output import Output
from .plans import carry_out, make_plan, plan_data, plan_text
from .registration import register, registration_of
from .sign_in import make_sign_in_link
from .upgrade import read_upgrade, upgrade_option

if TYPE_CHECKING:
    from ..api.deploy_report import DeployReport
    from ..api.plan import ShownPlan


@click.command("deploy", cls=ServerArguments)
@click.argument("path", default=".")
@click.option("--name", help="The project's name; default: from fastmcp.toml, the server, or the folder.")
@click.option("--env", "variables", multiple=True, metavar="KEY=VALUE", help="A variable of the server; repeatable.")
@click.option(
    "--env-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take a .env file along: each KEY=VALUE becomes a secret of the project and a variable of the server.",
)
@stage_option
@upgrade_option
@click.option("--allow-empty", is_flag=True, help="Deploy a server that offers no tools, prompts or resources.")
@target_option
@click.option("--dry-run", is_flag=True, help="Build and print the plan; change nothing that serves.")
@json_option
def deploy_command(
    path: str,
    name: str | None,
    variables: tuple[str, ...],
    env_file: Path | None,
    stage: str | None,
    upgrade: tuple[str, ...],
    allow_empty: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Deploy PATH and print its URL.

    PATH is a server file, FILE:OBJECT, a folder, FOLDER:SCRIPT for one of its programs, pypi:PACKAGE[:PROGRAM],
    npm:PACKAGE, or the URL of a git repository (with @REF and #subdirectory=FOLDER). What follows -- are the server's
    own arguments.
    """
    output = Output(as_json=as_json)

    def read() -> tuple[Project, Mapping[str, str]]:
        source, packages = read_upgrade(path, upgrade)
        project = replace(read_project(source, name, variables, server_arguments(), stage), upgrade=packages)
        if env_file is None:
            return project, {}
        # Imported late, since few deploys have one.
        from .env_file import check_env_file

        return project, check_env_file(env_file)

    output.result(*deploy(read, output, allow_empty=allow_empty, dry_run=dry_run))


def deploy(
    read: Callable[[], tuple[Project, Mapping[str, str]]], output: Output, *, allow_empty: bool, dry_run: bool
) -> tuple[DeployReport | ShownPlan, str]:
    """Deploys the project that `read` returns with the values of its secrets; what came of it, as data and as text."""
    stages, begun = output.stages(), time.monotonic()
    with ExitStack() as during:
        during.callback(output.stop_spinner)
        with stages.run("read"):
            project, values = read()
            if project.chosen:
                output.note(f"  {project.chosen}")
            target = target_of(project)
            during.enter_context(target.deploying())
            registration = registration_of(project)
            project = target.with_secrets(project, values)
        with explained(project):
            candidate = target.build(project, stages, output.note)
        if not allow_empty:
            check_offers(candidate.contract)
        plan = make_plan(target, candidate, stages, output)
        if dry_run:
            return plan_data(plan, stages), plan_text(plan)
        applied = carry_out(target, plan, lambda: Origin(this_user(), seconds=time.monotonic() - begun), stages, output)
        if registration is not None:
            register(registration, project, applied.status, output)
    found: tuple[Finding, ...] = ()
    if applied.changed:
        found = (*find_library_changes(candidate.manifest), *look_at(project, candidate.code, os.environ))
    link = None
    if applied.changed and sys.stdout.isatty() and not output.as_json:
        link = make_sign_in_link(applied.status)
    report = Report(target.where, applied, candidate.contract, found, link)
    return report.data(stages), report.text()


def read_project(
    path: str, name: str | None, variables: tuple[str, ...], arguments: tuple[str, ...] = (), stage: str | None = None
) -> Project:
    project = _opened(path, arguments)
    if name is not None:
        project = replace(project, name=check_name(name, "--name"))
    if stage is not None:
        project = in_stage(project, stage)
    given = {}
    for variable in variables:
        key, separator, value = variable.partition("=")
        if not separator:
            raise InputError(f"--env {key} has no value", hint="--env KEY=VALUE")
        try:
            given[key] = check_variable(key, value)
        except ValueError as error:
            raise InputError(f"--env {key} {error}") from None
    return replace(project, environment={**project.environment, **given})


def _opened(path: str, arguments: tuple[str, ...]) -> Project:
    """Returns the project at `path`; a clone of a repository exists until the command ends."""
    if not is_source(path):
        return load_project(path, arguments)
    return click.get_current_context().with_resource(opened(path, arguments, open_home()))
