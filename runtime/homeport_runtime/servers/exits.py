"""What a tool, a resource or a prompt does to end the process is the error of that one call."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from ..libraries.mcp import Handler, wrap_handlers

logger = logging.getLogger("homeport")


class EndedItself(Exception):
    """A handler called sys.exit, or was interrupted: both would end the event loop, and with it all other calls."""

    def __init__(self, stop: BaseException) -> None:
        said = f": {stop}" if str(stop) else ""
        super().__init__(f"the call raised {type(stop).__name__}{said}; a server ends only when it is told to")


def contain_exits(lowlevel: Any) -> None:
    """Turns SystemExit and KeyboardInterrupt of a low-level server's handlers into an exception that its SDK answers
    with, and that all other middleware knows.
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
            # mcp 1.x answers and says nothing about it.
            logger.exception("a call raised %s", type(stop).__name__)
            raise EndedItself(stop) from stop

    return contained
