"""homeport deploy"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

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
from ..findings.offers import check_offers
from ..findings.source import look_at
from ..home import open_home
from ..pipeline.build import build
from ..pipeline.code import read_code
from ..platform_client.client import PlatformClient
from ..secrets.references import check_needed, referenced
from ..targets.local import LocalTarget
from .deploy_report import Report
from .env_file import check_env_file, with_env_file
from .lambda_deploy import deploy_to_lambda
from .options import (
    ServerArguments,
    json_option,
    note_other_version,
    platform_client,
    server_arguments,
    stage_option,
    target_name,
    target_option,
)
from .output import Output
from .plans import plan_data, plan_text
from .project_here import choose_name, deployed_from, known_as, named_in_source
from .token import keep_project_token
from .upgrade import read_upgrade, upgrade_option

if TYPE_CHECKING:
    from ..api.inspection import Inspected
    from ..api.status import DeployedStatus


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

    PATH is a server file, FILE:OBJECT, a folder, FOLDER:SCRIPT for one of its programs, pypi:PACKAGE, npm:PACKAGE, or
    the URL of a git repository (with @REF and #subdirectory=FOLDER). What follows -- are the server's own arguments.
    """
    output = Output(as_json=as_json)

    def read() -> tuple[Project, Mapping[str, str]]:
        source, packages = read_upgrade(path, upgrade)
        project = replace(read_project(source, name, variables, server_arguments(), stage), upgrade=packages)
        return project, check_env_file(env_file) if env_file else {}

    output.result(*deploy(read, output, allow_empty=allow_empty, dry_run=dry_run))


def deploy(
    read: Callable[[], tuple[Project, Mapping[str, str]]], output: Output, *, allow_empty: bool, dry_run: bool
) -> tuple[dict[str, Any], str]:
    """Deploys the project that `read` returns with the values of its secrets; what came of it, as data and as text."""
    home = open_home()
    stages = output.stages()
    client: PlatformClient | None = None
    try:
        with stages.run("read"):
            project, values = read()
            if project.chosen:
                output.note(f"  {project.chosen}")
            client = None if target_name(project) == "lambda" else platform_client()
            if client is not None:
                # It comes up while the bundle is being built.
                client.begin_start()
                note_other_version(client, replaced=True)
                project = with_secrets(project, values, client)
        if client is None:
            return deploy_to_lambda(project, values, home, stages, output, allow_empty=allow_empty, dry_run=dry_run)
        if client.remote is None:
            with explained(project):
                built = build(project, home, stages, partial(_inspect, client, project), output.note)
            bundle, code = built.bundle, built.code
        else:
            # Late: only a platform elsewhere needs it.
            from ..platform_client.remote_build import build_remote

            with explained(project):
                bundle, code = build_remote(client, project, stages, output.note), read_code(project)
        contract = bundle.manifest["contract"]
        if not allow_empty:
            check_offers(contract)
        target = LocalTarget(client)
        with stages.run("plan"):
            client.wait_until_running()
            chosen = choose_name(project, contract, client)
            plan = target.plan(chosen, bundle, known_as(project.place, client))
        if dry_run:
            return plan_data(plan.project, plan.steps, stages), plan_text(plan.project, plan.steps)
        with stages.run("apply") as stage:
            stage.cached = not plan.steps
            so_far = sum(done.seconds for done in stages.done)
            status = (
                target.apply(plan, so_far)
                if plan.steps
                else cast("DeployedStatus", {**client.status(chosen), "changed": False})
            )
    finally:
        output.stop_spinner()
        if client is not None:
            client.end_unused()
    if "token" in status:
        keep_project_token(status, home)
    found = (*find_library_changes(bundle.manifest), *look_at(project, code, os.environ)) if status["changed"] else ()
    report = Report(status, contract, found)
    return report.data(stages), report.text()


def _inspect(client: PlatformClient, project: Project, draft: Path) -> Inspected:
    client.wait_until_running()
    return client.inspect(draft, project.name, project.place)


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
    """The project at `path`; a clone of a repository is there until the command ends."""
    if not is_source(path):
        return load_project(path, arguments)
    return click.get_current_context().with_resource(opened(path, arguments, open_home()))


def with_secrets(project: Project, values: Mapping[str, str], client: PlatformClient) -> Project:
    """The project under the name whose secrets it needs, all of which are set; those of --env-file are by now. Raises
    ConfigError, and InputError where nobody chose a name and the likely one is another project's.
    """
    if not values and not referenced(project.environment):
        return project
    client.wait_until_running()
    name = project.name or deployed_from(project.place, client)
    if values:
        name = name or choose_name(project, named_in_source(project), client)
        project = with_env_file(replace(project, name=name), values, client.keep_secrets)
    available = [secret["name"] for secret in client.secrets(name) if secret["version"] is not None] if name else []
    return replace(project, name=check_needed(project, name, available)) if referenced(project.environment) else project
