"""Defines the error that tells people what is wrong with their server."""

from __future__ import annotations


class ServerError(Exception):
    """Says that the server cannot be loaded or does not answer.

    `message` says what happened and where, `hint` what to do next. `trace` is the traceback, trimmed to the person's
    own frames, or empty.
    """

    def __init__(self, message: str, *, hint: str | None = None, trace: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.trace = trace
