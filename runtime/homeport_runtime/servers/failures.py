"""Notes the exceptions of a server's tools, resources and prompts, which its SDK makes answers of."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from ..libraries.fastmcp import put_first
from ..libraries.mcp import (
    Handler,
    server_of,
    watch_session_managers,
    watch_tool_calls,
    watch_tool_errors,
    wrap_handlers,
)
from ..telemetry.error_records import asked, report
from ..telemetry.exceptions import kind_of
from ..telemetry.failures import note_failure


def watch_failures(server: Any, lowlevel: Any) -> None:
    """Notes the failures of a server's tools, resources and prompts; `server` may be its low-level server itself."""
    wrap_handlers(lowlevel, _watched, _watching_request)
    watch_tool_errors(lowlevel, lambda: _note(sys.exc_info()[1]))
    watch_tool_calls(server, lowlevel, _watching)
    put_first(server, _watched)


def watch_all_failures() -> None:
    """Does the same for each server that an app of the user's own serves over streamable HTTP."""
    watch_session_managers(lambda lowlevel: watch_failures(server_of(lowlevel), lowlevel))


async def _watched(context: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
    token = asked.set(context)
    try:
        return await call_next(context)
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        _note(error)
        raise
    finally:
        asked.reset(token)


def _watching_request(handler: Handler) -> Handler:
    """Returns a handler of mcp 1.x, which gets a request, or nothing in its first versions."""

    @wraps(handler)
    async def watched(*args: Any) -> Any:
        return await _watched(args[0] if args else None, lambda _request: handler(*args))

    return watched


def _watching(handler: Handler) -> Handler:
    @wraps(handler)
    async def watched(*args: Any, **kwargs: Any) -> Any:
        try:
            return await handler(*args, **kwargs)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            _note(error)
            raise

    return watched


def _note(error: BaseException | None) -> None:
    if error is not None:
        kind = kind_of(error)
        note_failure(kind)
        report(error, kind)
