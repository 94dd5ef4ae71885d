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


def set_stateless(server: Any, stateless: bool) -> None:
    """Before fastmcp 2.8 it is a setting, and no argument of `http_app`."""
    change_settings(server.settings, stateless_http=stateless)
