"""Why a function failed, for its log and for the Runtime API.

What the Runtime API is told is in no log: Lambda writes the kind of the error at most, and a managed runtime prints the
rest itself (awslambdaric does, for the same reason).
"""

from __future__ import annotations

import traceback
from typing import NamedTuple

from ...errors import ServerError
from ...telemetry import emit, scrubbed


class Told(NamedTuple):
    """As the Runtime API takes it: the kind of error, its message, and a traceback in one piece."""

    kind: str
    message: str
    trace: str


def tell(error: BaseException) -> Told:
    """Writes one record that says why, with the traceback; of a ServerError only the user's own frames."""
    if isinstance(error, ServerError):
        message, trace = error.message, error.trace
        parts = [message, f"hint: {error.hint}" if error.hint else "", trace]
    else:
        message = str(error)
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__)).rstrip()
        parts = [f"{type(error).__name__}: {message}", trace if error.__traceback__ else ""]
    emit("error", "\n".join(filter(None, parts)))
    return Told(type(error).__name__, scrubbed(message), scrubbed(trace))
