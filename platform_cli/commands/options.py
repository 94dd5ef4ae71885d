"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ..controlplane.client import PlatformClient
from ..home import open_home
from ..targets.base import Target
from ..targets.local import LocalTarget

json_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object on stdout; progress on stderr."
)


def running_target() -> Target:
    """The local platform, started if it is not running."""
    client = PlatformClient(open_home())
    client.ensure_running()
    return LocalTarget(client)
