"""Tells, by the exception of a request that fails, what kind of failure it is, for the record of the operation.

`unknown` is a tool, resource or prompt that does not exist, `arguments` are wrong ones, `tool` is what the server means
to tell its caller, and `exception` is everything else.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any

from ..libraries.fastmcp import put_first
from ..libraries.mcp import Handler, watch_tool_calls, watch_tool_errors, wrap_handlers
from ..telemetry.failures import note_failure

# The SDKs' own errors, by which a server tells its caller something.
DELIBERATE = frozenset(("ToolError", "ResourceError", "PromptError", "McpError", "MCPError", "UrlElicitationRequired"))
MISSING = frozenset(("NotFoundError", "DisabledError"))
# How many exceptions of a chain are looked at; a server could make a circle of them.
MAX_CHAIN = 20
# Where no code of the user's is: the standard library, and this runtime.
_FOREIGN = (str(Path(sys.modules["contextlib"].__file__ or "").parent), str(Path(__file__).parents[1]), "<")


def watch_failures(server: Any, lowlevel: Any) -> None:
    """Notes the failures of a server's tools, resources and prompts; `server` may be its low-level server itself."""
    wrap_handlers(lowlevel, _watched, _watching)
    watch_tool_errors(lowlevel, lambda: _note(sys.exc_info()[1]))
    watch_tool_calls(server, lowlevel, _watching)
    put_first(server, _watched)


async def _watched(context: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
    try:
        return await call_next(context)
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        _note(error)
        raise


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
        note_failure(kind_of(error))


def kind_of(error: BaseException) -> str:
    """Returns the kind of failure that an exception is."""
    chain = list(_chain(error))
    users = [each for each in chain if _has_users_frame(each.__traceback__)]
    # The SDKs wrap what a server raises into errors of their own; what it raises from another is what it means.
    raised, is_users = (users[0], True) if users else (chain[-1], False)
    names = {each.__name__ for each in type(raised).__mro__}
    of_sdk = {each.__name__ for each in type(raised).__mro__ if each.__module__.startswith(("mcp.", "fastmcp."))}
    if of_sdk & MISSING or (not is_users and str(error).startswith("Unknown")):
        return "unknown"
    if "ValidationError" in names and not is_users:
        return "arguments"
    return "tool" if of_sdk & DELIBERATE else "exception"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yields an exception and those that it was raised from, the outermost first."""
    for _ in range(MAX_CHAIN):
        yield error
        below = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if below is None:
            return
        error = below


def _has_users_frame(trace: TracebackType | None) -> bool:
    sdk = sys.modules.get("mcp")
    foreign = (*_FOREIGN, *(str(Path(place).parent) for place in getattr(sdk, "__path__", ())))
    while trace is not None:
        if not trace.tb_frame.f_code.co_filename.startswith(foreign):
            return True
        trace = trace.tb_next
    return False
