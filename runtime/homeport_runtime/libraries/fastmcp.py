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


def set_options(server: Any, **options: Any) -> None:
    """Sets the options of `http_app` as settings, which they are before fastmcp 2.8; 2.8.0 ignores its arguments."""
    for name in ("settings", "_deprecated_settings"):
        if name in vars(server):
            change_settings(vars(server)[name], **options)
