"""What is known of fastmcp 2, 3 and 4 from inside; its low-level server is mcp's."""

from __future__ import annotations

import importlib
from contextlib import suppress
from typing import Any

from .mcp import change_settings

# Imported by the first tools/call: by fastmcp 3 before it, by fastmcp 4 after it.
FIRST_CALL_MODULES = (
    "fastmcp.server.tasks.handlers",
    "fastmcp.server.tasks.routing",
    "fastmcp.server.providers.prefab_payload",
)


def import_for_first_call() -> None:
    """Releases differ in which of the modules they have."""
    for name in FIRST_CALL_MODULES:
        with suppress(ImportError):
            importlib.import_module(name)


def set_options(server: Any, **options: Any) -> None:
    """Sets what `http_app` is given, too: settings before fastmcp 2.8, and 2.8.0 passes over its arguments."""
    for name in ("settings", "_deprecated_settings"):
        if name in vars(server):
            change_settings(vars(server)[name], **options)
