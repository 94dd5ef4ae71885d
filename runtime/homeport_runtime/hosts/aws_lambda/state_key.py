"""Shares the key with which a function's instances seal requestState, in the project's table.

The instance that looks for it first creates it.
"""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING

from ...telemetry import emit

if TYPE_CHECKING:
    from ...aws.dynamodb import Table

# No session has this name, and the item never expires.
KEY = {"pk": "homeport", "sk": "state-key"}
# The seconds that a call waits for a table that does not answer; a table answers in a few milliseconds.
PATIENCE_S = 2.0


class StateKey:
    """Returns the key when something is sealed or opened, and reads the table only then, so that no start waits for it.

    An instance that cannot read it in time seals with a key of its own, and tries again the next time.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._own = b""
        self._shared: bytes | None = None
        self._reading: threading.Thread | None = None

    def __call__(self) -> bytes:
        """Returns the 32 bytes of the key."""
        if self._shared is None:
            self._read()
        if self._shared is not None:
            return self._shared
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
            self._shared = shared_key(self._table)
        except Exception as error:
            emit("error", f"requestState is not shared between instances: {error}")


def shared_key(table: Table) -> bytes:
    """Returns 32 bytes, the same for all instances.

    Raises AWSError if the table cannot be used.
    """
    for item in table.query("pk = :pk", {":pk": KEY["pk"]}):
        return bytes.fromhex(str(item["sealing"]))
    made = secrets.token_bytes(32)
    if table.put({**KEY, "sealing": made.hex()}, "attribute_not_exists(pk)"):
        return made
    # Another instance was first.
    return shared_key(table)
