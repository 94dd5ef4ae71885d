"""Shares the key with which a function's instances seal requestState.

The project's table has a salt, which the instance that looks for it first creates. The key is made of it and of
something that is not in the table, so that nobody makes it who can only read that: the token that every caller shows,
or for a project without one a secret that its first deploy has put into the function's configuration. A stack of
CloudFormation has no such secret, and if it is open, the table alone is enough.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...telemetry import emit

if TYPE_CHECKING:
    from ...aws.dynamodb import Table

# No session has this name, and the item never expires.
KEY = {"pk": "homeport", "sk": "state-salt"}
# The seconds that a call waits for a table that does not answer; a table answers in a few milliseconds.
PATIENCE_S = 2.0


class StateKey:
    """Returns the key when something is sealed or opened, and reads the table only then, so that no start waits for it.

    `secret` returns what is not in the table, None as long as no caller has shown it. An instance that cannot make the
    shared key seals with one of its own, and tries again the next time.
    """

    def __init__(self, table: Table, secret: Callable[[], str | None]) -> None:
        self._table = table
        self._secret = secret
        self._own = b""
        self._salt: bytes | None = None
        self._reading: threading.Thread | None = None

    def __call__(self) -> bytes:
        """Returns the 32 bytes of the key."""
        if self._salt is None:
            self._read()
        secret = self._secret()
        if self._salt is not None and secret is not None:
            return hmac.digest(secret.encode(), self._salt, "sha256")
        # Created here and not with the object, which copies of a snapshot (SnapStart) would share.
        self._own = self._own or secrets.token_bytes(32)
        return self._own

    def _read(self) -> None:
        if self._reading is None or not self._reading.is_alive():
            self._reading = threading.Thread(target=self._ask, name="state-key", daemon=True)
            self._reading.start()
        self._reading.join(PATIENCE_S)
        if self._reading.is_alive():
            emit("error", f"requestState is not shared between instances: no answer from DynamoDB in {PATIENCE_S:g} s")

    def _ask(self) -> None:
        try:
            self._salt = shared_salt(self._table)
        except Exception as error:
            emit("error", f"requestState is not shared between instances: {error}")


def shared_salt(table: Table) -> bytes:
    """Returns 32 bytes, the same for all instances.

    Raises AWSError if the table cannot be used.
    """
    for item in table.query("pk = :pk AND sk = :sk", {":pk": KEY["pk"], ":sk": KEY["sk"]}):
        return bytes.fromhex(str(item["salt"]))
    made = secrets.token_bytes(32)
    if table.put({**KEY, "salt": made.hex()}, "attribute_not_exists(pk)"):
        return made
    # Another instance was first.
    return shared_salt(table)
