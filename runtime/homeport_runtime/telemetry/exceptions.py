"""Tells what an exception of a server means: which one of a chain it is about, and what kind of failure that is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType

# The SDKs' own errors, by which a server tells its caller something.
DELIBERATE = frozenset(("ToolError", "ResourceError", "PromptError", "McpError", "MCPError", "UrlElicitationRequired"))
MISSING = frozenset(("NotFoundError", "DisabledError"))
# How many exceptions of a chain are looked at; a server could make a circle of them.
MAX_CHAIN = 20
# Where no code of the user's is: the standard library, and this runtime.
_FOREIGN = (str(Path(sys.modules["contextlib"].__file__ or "").parent), str(Path(__file__).parents[1]), "<")


def kind_of(error: BaseException) -> str:
    """Returns the kind of failure that an exception is: `unknown` is a tool, resource or prompt that does not exist,
    `arguments` are wrong ones, `tool` is what the server means to tell its caller, and `exception` all else.
    """
    raised = meant(error)
    is_users = _has_users_frame(raised)
    names = {each.__name__ for each in type(raised).__mro__}
    of_sdk = _names_of_sdk(raised)
    if of_sdk & MISSING or (not is_users and str(error).startswith("Unknown")):
        return "unknown"
    if "ValidationError" in names and not is_users:
        return "arguments"
    return "tool" if of_sdk & DELIBERATE else "exception"


def meant(error: BaseException) -> BaseException:
    """Returns the exception of a chain that tells what happened: the outermost that passed code of the user's.

    The SDKs wrap what a server raises into errors of their own; what it raises from another is what it means. If none
    passed such code, it is the innermost.
    """
    chain = list(_chain(error))
    users = (each for each in chain if _has_users_frame(each) and not _is_wrapper(each))
    return next(users, chain[-1])


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yields an exception and those that it was raised from, the outermost first."""
    for _ in range(MAX_CHAIN):
        yield error
        below = _below(error)
        if below is None:
            return
        error = below


def _below(error: BaseException) -> BaseException | None:
    """Returns what an exception was raised from, or the only one in a group; a task group makes one of each failure."""
    inner = getattr(error, "exceptions", None)
    if isinstance(inner, tuple) and len(inner) == 1 and isinstance(inner[0], BaseException):
        return inner[0]
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def frames_of(trace: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    """Yields the frames of a traceback, the outermost first, each with the number of its line."""
    while trace is not None:
        yield trace.tb_frame, trace.tb_lineno or 0
        trace = trace.tb_next


def _has_users_frame(error: BaseException) -> bool:
    foreign = _foreign()
    return any(not frame.f_code.co_filename.startswith(foreign) for frame, _ in frames_of(error.__traceback__))


def _is_wrapper(error: BaseException) -> bool:
    """Tells whether an SDK has raised this from another, and not the user's code, which it may have passed since."""
    if not _names_of_sdk(error) or _below(error) is None:
        return False
    last = None
    for last, _ in frames_of(error.__traceback__):  # noqa: B007 - the last one is wanted
        pass
    return last is not None and last.f_code.co_filename.startswith(_foreign())


def _names_of_sdk(error: BaseException) -> set[str]:
    return {each.__name__ for each in type(error).__mro__ if each.__module__.startswith(("mcp.", "fastmcp."))}


def _foreign() -> tuple[str, ...]:
    """Returns the folders with no code of the user's: the layer, which has the SDK, is one."""
    sdk = sys.modules.get("mcp")
    return (*_FOREIGN, *(str(Path(place).parent) for place in getattr(sdk, "__path__", ())))
