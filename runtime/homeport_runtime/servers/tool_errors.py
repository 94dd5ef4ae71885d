"""mcp 1.x turns what a tool raises into an answer and says nothing about it in the log; later versions do."""

from __future__ import annotations

import logging
import sys
from typing import Any

from ..libraries.mcp import watch_tool_errors

logger = logging.getLogger("homeport")

# The SDKs' own, which a server raises to tell its caller something, and the SDKs for a tool that is not there.
DELIBERATE = ("ToolError", "McpError", "NotFoundError")
# FastMCP makes a model of a tool's arguments, which is called so.
ARGUMENTS = "Arguments"


def log_tool_errors(lowlevel: Any) -> None:
    """Logs the traceback of each crash of a tool that the server is about to answer with."""
    watch_tool_errors(lowlevel, _log)


def _log() -> None:
    error = sys.exc_info()[1]
    # FastMCP wraps what the tool raised into an error of its own.
    raised = (error.__cause__ or error) if error is not None else None
    if raised is not None and not _is_callers(raised, wrapped=raised is not error):
        logger.error("a tool raised %s", type(raised).__name__, exc_info=raised)


def _is_callers(error: BaseException, *, wrapped: bool) -> bool:
    """Whether it is the caller's business: wrong arguments, no such tool, or what the server means to tell."""
    names = {each.__name__ for each in type(error).__mro__ if each.__module__.startswith(("mcp.", "fastmcp."))}
    if names.intersection(DELIBERATE):
        return True
    if type(error).__name__ != "ValidationError":
        return False
    # One that the tool's own code raised is of a model of its own.
    return not wrapped or str(getattr(error, "title", "")).endswith(ARGUMENTS)
