"""Turns a tool's, resource's or prompt's attempt to end the process into an error of that one call."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from ..libraries.mcp import Handler, wrap_handlers

logger = logging.getLogger("homeport")


class EndedItself(Exception):
    """Says that a handler called sys.exit, or was interrupted, which would end the event loop and so
    all other calls.
    """

    def __init__(self, stop: BaseException) -> None:
        said = f": {stop}" if str(stop) else ""
        super().__init__(f"the call raised {type(stop).__name__}{said}; a server ends only when it is told to")


def contain_exits(lowlevel: Any) -> None:
    """Turns SystemExit and KeyboardInterrupt of a low-level server's handlers into an exception that
    its SDK answers.
    """
    wrap_handlers(lowlevel, _contained, _containing)


async def _contained(context: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
    try:
        return await call_next(context)
    except (SystemExit, KeyboardInterrupt) as stop:
        raise EndedItself(stop) from stop


def _containing(handler: Handler) -> Handler:
    @wraps(handler)
    async def contained(request: Any) -> Any:
        try:
            return await handler(request)
        except (SystemExit, KeyboardInterrupt) as stop:
            # mcp 1.x answers without logging it.
            logger.exception("a call raised %s", type(stop).__name__)
            raise EndedItself(stop) from stop

    return contained
