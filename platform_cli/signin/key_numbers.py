"""Numbers the keys of whoever signs, says which of them sign and which are accepted, and rotates them.

Only numbers and times are stored: the keys themselves are derived from the platform's own key.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

from .access_tokens import ACCESS_S

# The age in seconds at which a key gets a successor.
ROTATE_S = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class KeyNumbers:
    """Holds the numbers of the keys of each owner; a key that follows another one signs after `heard_s` seconds, until
    when whoever verifies has heard of it.
    """

    db: sqlite3.Connection
    heard_s: float

    def __post_init__(self) -> None:
        self.db.execute(
            "CREATE TABLE IF NOT EXISTS signin_keys (project TEXT NOT NULL, number INTEGER NOT NULL, made_at REAL NOT "
            "NULL, ends_at REAL, PRIMARY KEY (project, number)) STRICT"
        )

    def accepted(self, owner: str) -> list[int]:
        """Returns the keys that are accepted, the newest first."""
        return [number for number, _ in self._valid(owner)] or [self._add(owner)]

    def signing(self, owner: str) -> int:
        """Returns the key that signs: the newest that has been heard of, or the only one."""
        rows = self._valid(owner) or [(self._add(owner), time.time())]
        heard = [number for number, made_at in rows if made_at <= time.time() - self.heard_s]
        return heard[0] if heard else rows[-1][0]

    def rotate_old(self, owner: str) -> bool:
        """Makes a new key if the newest is old, and tells whether it did; the one before signs until the new one has
        been heard of, and is accepted for as long as its tokens live.
        """
        row = self.db.execute("SELECT max(made_at) FROM signin_keys WHERE project = ?", (owner,)).fetchone()
        if row[0] is None or row[0] > time.time() - ROTATE_S:
            return False
        self._end(owner, time.time() + self.heard_s + ACCESS_S)
        self._add(owner)
        return True

    def replace(self, owner: str) -> None:
        """Makes a new key, and ends all others, with every access token that there is."""
        self._end(owner, time.time())
        self._add(owner)

    def _valid(self, owner: str) -> list[tuple[int, float]]:
        """Returns the numbers of the keys that have not ended, the newest first, and when each was made."""
        return self.db.execute(
            "SELECT number, made_at FROM signin_keys WHERE project = ? AND (ends_at IS NULL OR ends_at > ?) "
            "ORDER BY number DESC",
            (owner, time.time()),
        ).fetchall()

    def _end(self, owner: str, at: float) -> None:
        self.db.execute(
            "UPDATE signin_keys SET ends_at = min(coalesce(ends_at, ?), ?) WHERE project = ?", (at, at, owner)
        )

    def _add(self, owner: str) -> int:
        row = self.db.execute(
            "INSERT INTO signin_keys SELECT ?, coalesce(max(number), 0) + 1, ?, NULL FROM signin_keys "
            "WHERE project = ? RETURNING number",
            (owner, time.time(), owner),
        ).fetchone()
        return int(row[0])
