"""Uses internals of fastmcp 2, 3 and 4, whose low-level server is mcp's."""

from __future__ import annotations

import importlib
from contextlib import suppress
from typing import Any

from .mcp import change_settings

# The modules that the first tools/call imports: in fastmcp 3 before it, in fastmcp 4 after it.
FIRST_CALL_MODULES = (
    "fastmcp.server.tasks.handlers",
    "fastmcp.server.tasks.routing",
    "fastmcp.server.providers.prefab_payload",
)


def import_for_first_call() -> None:
    """Imports those of the modules that this release has."""
    for name in FIRST_CALL_MODULES:
        with suppress(ImportError):
            importlib.import_module(name)


def set_stateless(server: Any, stateless: bool) -> None:
    """Sets a server's statelessness before fastmcp 2.8, where it is a setting and no argument of `http_app`."""
    change_settings(server.settings, stateless_http=stateless)
