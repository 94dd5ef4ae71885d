"""Implements `homeport platform deploy` and `destroy`, for the platform on AWS, which only the target Lambda has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..config.project import Architecture
from .options import json_option
from .output import Output
from .removals import yes_option

lambda_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--target", type=click.Choice(["lambda"]), required=True, expose_value=False, help="Where: on AWS Lambda."
)


@click.command("deploy")
@lambda_option
@click.option(
    "--architecture",
    type=click.Choice(["arm64", "x86_64"]),
    default="arm64",
    show_default=True,
    help="The processor of its functions.",
)
@click.option(
    "--allow",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A policy (JSON): what projects' functions may do beside their own, if their fastmcp.toml asks for it.",
)
@click.option("--dry-run", is_flag=True, help="Print the plan; change nothing.")
@click.option("--new-token", is_flag=True, help="Make a new token for the API; the old one ends.")
@json_option
def deploy_platform_command(
    architecture: Architecture, allow: Path | None, dry_run: bool, new_token: bool, as_json: bool
) -> None:
    """Put the platform on AWS: a webhook and an API for linked repositories, and a function that builds."""
    from .lambda_platform import deploy_platform

    deploy_platform(Output(as_json=as_json), architecture, allow, dry_run=dry_run, new_token=new_token)


@click.command("destroy")
@lambda_option
@yes_option
@json_option
def destroy_platform_command(yes: bool, as_json: bool) -> None:
    """Remove the platform from AWS, and its links with it. Projects go on serving."""
    from .lambda_platform import destroy_platform

    destroy_platform(Output(as_json=as_json), yes=yes)
