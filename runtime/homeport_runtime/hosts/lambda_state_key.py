"""The key that all instances of a function seal requestState with: in the project's own table, made by the instance
that looks for it first.
"""

from __future__ import annotations

import os
import secrets
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..aws.dynamodb import Table

# No session is called so, and nothing says when the item expires.
KEY = {"pk": "homeport", "sk": "state-key"}


class StateKeyFetch(threading.Thread):
    """Begins at once, beside the imports. `table` is the one that the key is in, once that is known."""

    def __init__(self) -> None:
        super().__init__(name="state-key", daemon=True)
        self.table: Table | None = None
        self._name = os.environ.get("HOMEPORT_MAILBOX_TABLE")
        self._key: bytes | None = None
        if self._name:
            self.start()

    def run(self) -> None:
        from ..aws.dynamodb import Table

        try:
            self.table = Table(str(self._name))
            self._key = shared_key(self.table)
        except Exception as error:
            # Few servers seal anything, and those still serve what stays with one instance.
            sys.stderr.write(f"requestState is not shared between instances: {error}\n")

    def value(self) -> bytes | None:
        """None without a table, or if it cannot be read."""
        if self.ident is not None:
            self.join()
        return self._key


def shared_key(table: Table) -> bytes:
    """32 bytes, the same for everyone who asks. Raises AWSError."""
    for item in table.query("pk = :pk", {":pk": KEY["pk"]}):
        return bytes.fromhex(str(item["sealing"]))
    made = secrets.token_bytes(32)
    if table.put({**KEY, "sealing": made.hex()}, "attribute_not_exists(pk)"):
        return made
    # Another instance was first.
    return shared_key(table)
