"""mcp 1.x turns what a tool raises into an answer and says nothing about it in the log; later versions do."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

logger = logging.getLogger("homeport")


def log_tool_errors(lowlevel: Any) -> None:
    """Logs the traceback of each exception that the server is about to answer with."""
    make: Callable[[str], Any] | None = getattr(lowlevel, "_make_error_result", None)
    if make is None:
        return

    def make_and_log(error_message: str) -> Any:
        error = sys.exc_info()[1]
        # What is wrong with the arguments is the caller's business.
        if error is not None and type(error).__name__ != "ValidationError":
            # FastMCP wraps what the tool raised into an error of its own.
            error = error.__cause__ or error
            logger.error("a tool raised %s", type(error).__name__, exc_info=error)
        return make(error_message)

    lowlevel._make_error_result = make_and_log
