"""What AWS refuses."""

from __future__ import annotations


class AWSError(Exception):
    """A call that failed. `code` is AWS's own name for it (`ResourceNotFoundException`), or NoCredentials,
    NotReachable; never anything of the request or of the answer's content.
    """

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
