"""Implements `homeport export`, with `github-actions`; other forms have modules of their own."""

from __future__ import annotations

import re
from pathlib import Path

import click

from ..config.project import Project
from ..errors import InputError
from .cloudformation import cloudformation_command
from .kubernetes import kubernetes_command
from .options import json_option, platform_url, target_name, target_option
from .output import Output
from .workflow import Asked, find_workflow

WORKFLOW = Path(".github", "workflows", "homeport.yml")
# The text that needs no quotes in YAML and in a shell.
_PLAIN = re.compile(r"[A-Za-z0-9_./:-]+")


@click.group("export")
def export_command() -> None:
    """Write files for other ways to deploy."""


@export_command.command("github-actions")
@click.argument("path", default=".")
@click.option("--branch", default="main", show_default=True, help="The branch whose pushes are deployed.")
@target_option
@click.option("--role", metavar="ARN", help="On Lambda: the role that the workflow takes, which need not be there yet.")
@click.option("--repository", metavar="OWNER/NAME", help="On Lambda: whose workflow may take it; default: origin's.")
@click.option(
    "--wheel",
    type=click.Path(dir_okay=False, path_type=Path),
    help="On Lambda: homeport's wheel in this repository, which the workflow installs by its hash.",
)
@json_option
def github_actions(
    path: str, branch: str, role: str | None, repository: str | None, wheel: Path | None, as_json: bool
) -> None:
    """Write a GitHub Actions workflow into this repository that deploys PATH to the platform of --platform, or to
    Lambda.
    """
    for value in (path, branch):
        if not _PLAIN.fullmatch(value) or value.startswith("-"):
            raise InputError(f"{value!r} has characters that a workflow cannot carry")
    if not Path(".git").exists():
        raise InputError("this is not the top of a git repository", hint="run it there")
    if WORKFLOW.exists():
        raise InputError(f"{WORKFLOW} is there already", hint="remove it first")
    write = find_workflow(target_name(Project(folder=Path(path), entrypoint=None)))
    write(Output(as_json=as_json), WORKFLOW, Asked(path, branch, platform_url(), role, repository, wheel))


export_command.add_command(cloudformation_command)
export_command.add_command(kubernetes_command)
