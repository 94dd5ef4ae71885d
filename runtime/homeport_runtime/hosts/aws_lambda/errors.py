"""Reports why a function failed, to its log and to the Runtime API.

What the Runtime API gets appears in no log: Lambda writes at most the kind of the error, and a managed runtime prints
the rest itself (awslambdaric does, for the same reason).
"""

from __future__ import annotations

import traceback
from typing import NamedTuple

from ...errors import ServerError
from ...telemetry import emit, scrubbed


class Told(NamedTuple):
    """Describes an error for the Runtime API: its kind, its message, and its traceback as one text."""

    kind: str
    message: str
    trace: str


def tell(error: BaseException) -> Told:
    """Writes a record with the reason and the traceback, of which a ServerError has the user's own frames only."""
    if isinstance(error, ServerError):
        message, trace = error.message, error.trace
        parts = [message, f"hint: {error.hint}" if error.hint else "", trace]
    else:
        message = str(error)
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__)).rstrip()
        parts = [f"{type(error).__name__}: {message}", trace if error.__traceback__ else ""]
    emit("error", "\n".join(filter(None, parts)))
    return Told(type(error).__name__, scrubbed(message), scrubbed(trace))
