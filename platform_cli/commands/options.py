"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from .. import __version__
from ..config.load import read_config
from ..config.project import Project
from ..config.root import find_root
from ..errors import ConfigError, InputError
from ..home import open_home
from ..platform_client.client import PlatformClient
from ..platform_client.connections import find_remote
from ..targets.base import Target
from ..targets.local import LocalTarget
from .output import Output


class ServerArguments(click.Command):
    """A command with a server's own arguments behind `--`, which are not for click to look at."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        cut = args.index("--") if "--" in args else len(args)
        ctx.meta[ARGUMENTS] = tuple(args[cut + 1 :])
        return super().parse_args(ctx, args[:cut])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- ARGUMENTS]"]


ARGUMENTS = "homeport.arguments"


def server_arguments() -> tuple[str, ...]:
    """What was typed behind `--`."""
    given: tuple[str, ...] = click.get_current_context().meta.get(ARGUMENTS, ())
    return given


json_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object on stdout; progress on stderr."
)


stage_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--stage", metavar="STAGE", help="As this stage: a project NAME-STAGE of its own, with what [stages.STAGE] changes."
)


def platform_client() -> PlatformClient:
    """The platform that `--platform` names, else this machine's."""
    home = open_home()
    url = click.get_current_context().find_root().params.get("platform")
    return PlatformClient(home, remote=find_remote(url, home) if url else None)


def local_client() -> PlatformClient:
    """This machine's platform, for what can only be done there. Raises InputError if another one was asked for."""
    root = click.get_current_context().find_root()
    if root.params.get("platform") and root.get_parameter_source("platform") is ParameterSource.COMMANDLINE:
        raise InputError("this acts on the platform of this machine", hint="leave --platform out, or run it over there")
    return PlatformClient(open_home())


def _remember_target(context: click.Context, _option: click.Parameter, value: str | None) -> None:
    context.meta[TARGET] = value


TARGET = "homeport.target"
target_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--target",
    type=click.Choice(["local", "lambda"]),
    expose_value=False,
    callback=_remember_target,
    help="Where; default: target in the fastmcp.toml here, else HOMEPORT_TARGET, else local.",
)


def asked_target() -> str | None:
    """What --target says."""
    named: str | None = click.get_current_context().meta.get(TARGET)
    return named


def target_name(project: Project) -> str:
    """What --target says, else the project's configuration, else HOMEPORT_TARGET. Raises InputError."""
    named = asked_target() or project.target or os.environ.get("HOMEPORT_TARGET", "local")
    if named not in ("local", "lambda"):
        raise InputError(f"HOMEPORT_TARGET is {named!r}", hint="local or lambda")
    return str(named)


def configured_here() -> Project:
    """What the project that one stands in says."""
    try:
        return read_config(find_root(Path.cwd().resolve()).config)
    except ConfigError:
        # A deploy says what is wrong with it; looking at projects does not depend on the folder one stands in.
        return Project(folder=Path.cwd(), entrypoint=None)


def running(client: PlatformClient, *, changes: bool) -> PlatformClient:
    """`client`, with a platform that runs. One of an older homeport is replaced by what `changes` something alone: two
    versions that are used beside each other would start it anew with every look at it.
    """
    client.ensure_running(replaces=changes)
    note_other_version(client, replaced=changes)
    return client


def note_other_version(client: PlatformClient, *, replaced: bool) -> None:
    other = client.other_version
    if other is None:
        return
    if client.remote is not None:
        text = f"the platform at {client.remote.url} is homeport {other}, this command is {__version__}"
    elif replaced:
        text = f"the platform was homeport {other} and is started anew as {__version__}"
    else:
        text = (
            f"the platform is homeport {other}, this command is {__version__}: `homeport platform start`, or the next"
            " command that changes something, starts it anew"
        )
    Output(as_json=False).note(text)


def running_target(*, changes: bool = False) -> Target:
    """Lambda, or the platform that was asked for; this machine's is started if it is not running."""
    here = configured_here()
    if target_name(here) == "lambda":
        from ..targets.aws_lambda.client import AWS
        from ..targets.aws_lambda.target import LambdaTarget

        return LambdaTarget(AWS(here.on_lambda.region))
    return LocalTarget(running(platform_client(), changes=changes))
