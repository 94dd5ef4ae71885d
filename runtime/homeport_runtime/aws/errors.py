"""Defines the error of calls to AWS."""

from __future__ import annotations

# The code of an error for which AWS gave no answer.
NOT_REACHABLE = "NotReachable"


class AWSError(Exception):
    """Says that a call failed.

    `code` is AWS's own name of the error (`ResourceNotFoundException`), or NoCredentials, NotReachable. It contains
    nothing of the request or of the answer's content.
    """

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
