"""Logs the errors of tools in mcp 1.x, which turns them into answers without logging them as later versions do."""

from __future__ import annotations

import logging
import sys
from typing import Any

from ..libraries.mcp import watch_tool_errors

logger = logging.getLogger("homeport")

# The SDKs' own errors, by which a server tells its caller something, and by which SDKs report a missing tool.
DELIBERATE = ("ToolError", "McpError", "NotFoundError")
# The end of the name of the model that FastMCP makes of a tool's arguments.
ARGUMENTS = "Arguments"


def log_tool_errors(lowlevel: Any) -> None:
    """Logs the traceback of each crash of a tool before the server answers with it."""
    watch_tool_errors(lowlevel, _log)


def _log() -> None:
    error = sys.exc_info()[1]
    # FastMCP wraps the tool's exception into an error of its own.
    raised = (error.__cause__ or error) if error is not None else None
    if raised is not None and not _is_callers(raised, wrapped=raised is not error):
        logger.error("a tool raised %s", type(raised).__name__, exc_info=raised)


def _is_callers(error: BaseException, *, wrapped: bool) -> bool:
    """Tells whether an error concerns the caller: wrong arguments, no such tool, or what the server means to tell."""
    names = {each.__name__ for each in type(error).__mro__ if each.__module__.startswith(("mcp.", "fastmcp."))}
    if names.intersection(DELIBERATE):
        return True
    if type(error).__name__ != "ValidationError":
        return False
    # The tool's own code may raise one about a model of its own.
    return not wrapped or str(getattr(error, "title", "")).endswith(ARGUMENTS)
