"""What the person's server did wrong, said in a way they can act on."""

from __future__ import annotations


class ServerError(Exception):
    """The server cannot be loaded or does not answer: `message` says what and where, `hint` what to do next.

    `trace` is the person's own traceback, trimmed to their frames, or empty.
    """

    def __init__(self, message: str, *, hint: str | None = None, trace: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.trace = trace
