"""Stores the one-time codes that `homeport console` asks for, and the keys of the browsers that have used one.

Only hashes are stored. Keys are no platform tokens: `api.gate` lets them do less, and they end by themselves.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from typing import Literal

from ..api.platform import ListedToken
from ..bearer import hash_of

# The seconds in which a code has to be used.
CODE_S = 300.0
# The seconds for which a key opens the console after its last use, and after it was made.
KEY_S, LONGEST_S = 12 * 3600.0, 30 * 86400.0
# The seconds for which another use of a key is not recorded.
USE_PRECISION_S = 60.0
# The digits of its hash by which a key is named, and what its name begins with.
NAME_DIGITS, NAME_PREFIX = 8, "console-"


class Sessions:
    """Is a table in which each row is a code, or the key that a browser got for one."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.execute(
            "CREATE TABLE IF NOT EXISTS console_sessions (hash TEXT PRIMARY KEY, kind TEXT NOT NULL, created_at REAL "
            "NOT NULL, used_at REAL, expires_at REAL NOT NULL) STRICT"
        )

    def make_code(self) -> str:
        """Returns a code that can be used once."""
        return self._add("code", CODE_S)

    def open(self, code: str) -> str | None:
        """Ends a code, and returns a key in its place; None for a code that is over, or never was."""
        found = self._db.execute(
            "DELETE FROM console_sessions WHERE hash = ? AND kind = 'code' AND expires_at > ? RETURNING hash",
            (hash_of(code), time.time()),
        ).fetchone()
        return self._add("key", KEY_S) if found else None

    def is_valid(self, key: str) -> bool:
        """Tells whether a key opens the console, without being a use of it."""
        return self._find(key) is not None

    def accept(self, key: str) -> bool:
        """Tells whether a key opens the console, and records its use, which makes it last longer."""
        found = self._find(key)
        if found is None:
            return False
        created, used = found
        now = time.time()
        if used is None or abs(now - used) > USE_PRECISION_S:
            self._db.execute(
                "UPDATE console_sessions SET used_at = ?, expires_at = ? WHERE hash = ?",
                (now, min(now + KEY_S, created + LONGEST_S), hash_of(key)),
            )
        return True

    def end(self, key: str) -> None:
        self._db.execute("DELETE FROM console_sessions WHERE hash = ?", (hash_of(key),))

    def revoke(self, name: str) -> bool:
        """Ends the key of that name, and tells whether there was one."""
        found = self._db.execute(
            "DELETE FROM console_sessions WHERE kind = 'key' AND ? || substr(hash, 1, ?) = ?",
            (NAME_PREFIX, NAME_DIGITS, name),
        )
        return found.rowcount > 0

    def listed(self) -> list[ListedToken]:
        """Returns all keys, the newest first, with times in seconds since 1970."""
        rows = self._db.execute(
            "SELECT hash, created_at, used_at, expires_at FROM console_sessions WHERE kind = 'key' AND expires_at > ? "
            "ORDER BY created_at DESC",
            (time.time(),),
        ).fetchall()
        return [
            {"name": name_of(hashed), "kind": "console", "created_at": created, "used_at": used, "expires_at": expires}
            for hashed, created, used, expires in rows
        ]

    def _find(self, key: str) -> tuple[float, float | None] | None:
        found: tuple[float, float | None] | None = self._db.execute(
            "SELECT created_at, used_at FROM console_sessions WHERE hash = ? AND kind = 'key' AND expires_at > ?",
            (hash_of(key), time.time()),
        ).fetchone()
        return found

    def _add(self, kind: Literal["code", "key"], life_s: float) -> str:
        secret, now = secrets.token_urlsafe(32), time.time()
        self._db.execute("DELETE FROM console_sessions WHERE expires_at < ?", (now,))
        self._db.execute(
            "INSERT INTO console_sessions VALUES (?, ?, ?, NULL, ?)", (hash_of(secret), kind, now, now + life_s)
        )
        return secret


def name_of(hashed: str) -> str:
    """Returns the name of the key that has this hash."""
    return f"{NAME_PREFIX}{hashed[:NAME_DIGITS]}"
