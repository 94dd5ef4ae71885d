"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

from ..controlplane.client import PlatformClient
from ..controlplane.connections import find_remote
from ..errors import InputError
from ..home import open_home
from ..targets.base import Target
from ..targets.local import LocalTarget

json_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object on stdout; progress on stderr."
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


def running_target() -> Target:
    """The platform that was asked for; this machine's is started if it is not running."""
    client = platform_client()
    client.ensure_running()
    return LocalTarget(client)
