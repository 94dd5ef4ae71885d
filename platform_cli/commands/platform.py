"""homeport platform start, stop, status"""

from __future__ import annotations

import click

from ..controlplane.client import PlatformClient
from ..errors import PlatformError
from ..home import open_home
from ..output import Output
from .options import json_option


@click.group("platform")
def platform_command() -> None:
    """Start, stop or look at the embedded platform."""


@platform_command.command("start")
@json_option
def start(as_json: bool) -> None:
    """Start the platform in the background, if it is not running."""
    client = PlatformClient(open_home())
    client.ensure_running()
    platform = client.platform()
    Output(as_json=as_json).result({"ok": True, "running": True, **platform}, f"running, process {platform['pid']}")


@platform_command.command("stop")
@json_option
def stop(as_json: bool) -> None:
    """Stop the platform; open requests finish, projects answer again after the next start."""
    stopped = PlatformClient(open_home()).stop()
    text = "stopped" if stopped else "it was not running"
    Output(as_json=as_json).result({"ok": True, "running": False, "stopped": stopped}, text)


@platform_command.command("status")
@json_option
def status(as_json: bool) -> None:
    """Say whether the platform runs."""
    try:
        platform = PlatformClient(open_home()).platform()
    except PlatformError:
        Output(as_json=as_json).result({"ok": True, "running": False}, "not running; `homeport platform start`")
        return
    text = f"running, process {platform['pid']}, {platform['projects']} projects"
    Output(as_json=as_json).result({"ok": True, "running": True, **platform}, text)
