"""Fetches the project's secrets of a function while everything that does not need them is imported."""

from __future__ import annotations

import os
import threading

from ...errors import ServerError
from ...loading.environment import RESERVED

PERMISSION = "secretsmanager:GetSecretValue"


class SecretsFetch(threading.Thread):
    """Starts fetching at once, if the function has secrets at all."""

    def __init__(self) -> None:
        super().__init__(name="secrets", daemon=True)
        self._arn = os.environ.get("HOMEPORT_SECRET_ARN")
        self._values: dict[str, str] = {}
        self._error: Exception | None = None
        if self._arn:
            self.start()

    def run(self) -> None:
        try:
            from ...aws.secrets import fetch_secret

            self._values = fetch_secret(str(self._arn), os.environ.get("HOMEPORT_SECRET_VERSION"))
        except Exception as error:
            self._error = error

    def values(self) -> dict[str, str]:
        """Returns the server's secrets by name, once they have been fetched.

        Raises ServerError if they cannot be read.
        """
        if self._arn:
            self.join()
        if self._error is not None:
            needed = f"the function's role needs {PERMISSION} on {self._arn}"
            raise ServerError(f"the project's secrets cannot be read: {self._error}; {needed}")
        return {name: value for name, value in self._values.items() if not name.startswith(RESERVED)}
