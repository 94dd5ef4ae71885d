"""Defines the options that several commands share."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ..config.load import read_config
from ..config.project import Project
from ..config.root import find_root
from ..errors import ConfigError, InputError
from ..home import open_home
from ..platform_client.client import PlatformClient
from ..platform_client.connections import find_remote
from ..platform_client.other_version import connect
from ..target_table import DEFAULT_TARGET, TARGETS
from ..targets.base import AnyTarget, find_target
from .output import Output

# The seconds of each unit of a time span.
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class ServerArguments(click.Command):
    """Is a command with a server's own arguments after `--`, which click does not parse."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        cut = args.index("--") if "--" in args else len(args)
        ctx.meta[ARGUMENTS] = tuple(args[cut + 1 :])
        return super().parse_args(ctx, args[:cut])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- ARGUMENTS]"]


ARGUMENTS = "homeport.arguments"


def server_arguments() -> tuple[str, ...]:
    """Returns what was typed after `--`."""
    given: tuple[str, ...] = click.get_current_context().meta.get(ARGUMENTS, ())
    return given


json_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object on stdout; progress on stderr."
)


stage_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--stage", metavar="STAGE", help="As this stage: a project NAME-STAGE of its own, with what [stages.STAGE] changes."
)


def time_span(text: str, option: str) -> float:
    """Returns the seconds of a span that was typed, such as 10m.

    Raises InputError, which names the option, for anything else.
    """
    match = re.fullmatch(r"(\d{1,9})([smhd])", text, re.ASCII)
    if match is None:
        raise InputError(f"{option} {text!r} is not a time span", hint="for example 30s, 10m, 2h or 1d")
    return float(int(match[1]) * UNITS[match[2]])


def platform_url() -> str | None:
    """Returns the URL of --platform or HOMEPORT_PLATFORM, None without."""
    url: str | None = click.get_current_context().find_root().params.get("platform")
    return url


def platform_client() -> PlatformClient:
    """Returns a client of the platform that `--platform` names, otherwise of this machine's."""
    home, url = open_home(), platform_url()
    return PlatformClient(home, remote=find_remote(url, home) if url else None)


def local_client() -> PlatformClient:
    """Returns a client of this machine's platform, for what can only be done there.

    Raises InputError if another one was asked for.
    """
    root = click.get_current_context().find_root()
    if root.params.get("platform") and root.get_parameter_source("platform") is ParameterSource.COMMANDLINE:
        raise InputError("this acts on the platform of this machine", hint="leave --platform out, or run it over there")
    return PlatformClient(open_home())


def _remember_target(context: click.Context, _option: click.Parameter, value: str | None) -> None:
    context.meta[TARGET] = value


TARGET = "homeport.target"
target_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--target",
    type=click.Choice(list(TARGETS)),
    expose_value=False,
    callback=_remember_target,
    help=f"Where; default: target in the fastmcp.toml here, else HOMEPORT_TARGET, else {DEFAULT_TARGET}.",
)


def asked_target() -> str | None:
    """Returns the target of --target, None without."""
    named: str | None = click.get_current_context().meta.get(TARGET)
    return named


def target_name(project: Project) -> str:
    """Returns the target of --target, otherwise the project's configuration, otherwise HOMEPORT_TARGET.

    Raises InputError if there is no such target.
    """
    named = asked_target() or project.target or os.environ.get("HOMEPORT_TARGET", DEFAULT_TARGET)
    if named not in TARGETS:
        raise InputError(f"HOMEPORT_TARGET is {named!r}", hint=" or ".join(TARGETS))
    return named


def configured_here() -> Project:
    """Returns the configuration of the project in the current folder."""
    try:
        return read_config(find_root(Path.cwd().resolve()).config)
    except ConfigError:
        # A deploy reports the error; other commands do not depend on the current folder.
        return Project(folder=Path.cwd(), entrypoint=None)


def running(client: PlatformClient, *, changes: bool) -> PlatformClient:
    """Returns `client` once a platform runs; one of an older version is replaced only by commands
    that make `changes`.
    """
    connect(client, Output(as_json=False).note, changes=changes)
    return client


def target_of(project: Project) -> AnyTarget:
    """Returns the target that was asked for, or that the project names.

    Raises InputError if there is no such target, ConfigError if the project cannot have it.
    """
    return _opened(target_name(project), project)


def running_target(*, changes: bool = False) -> AnyTarget:
    """Returns the target that was asked for, or that the project here names, ready to answer."""
    target = target_of(configured_here())
    target.connect(changes=changes)
    return target


def target_or_platform() -> AnyTarget:
    """Returns the target as `running_target` does, but the platform first if one is named.

    The platform knows what it has built, wherever that was deployed to.
    """
    if platform_url() and not asked_target():
        return _opened(DEFAULT_TARGET, configured_here())
    return running_target()


def _opened(name: str, project: Project) -> AnyTarget:
    return find_target(name).opened(project, platform_url(), Output(as_json=False).note)
