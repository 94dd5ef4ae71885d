"""Manages tokens for the TCP side of the control plane, of which only hashes are stored, so that its
readers get none.
"""

from __future__ import annotations

import hmac
import sqlite3
import time

from ..api.platform import ListedToken
from ..bearer import hash_of, make_token
from ..config.names import check_name
from ..console.sessions import NAME_PREFIX as CONSOLE_PREFIX
from ..errors import InputError, NotFoundError

# The seconds for which another use of a token is not recorded.
USE_PRECISION_S = 60.0


class Tokens:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.execute(
            "CREATE TABLE IF NOT EXISTS tokens (name TEXT PRIMARY KEY, hash TEXT NOT NULL, created_at REAL NOT NULL, "
            "used_at REAL) STRICT"
        )

    def create(self, name: str) -> str:
        """Returns a new token, which is not stored.

        Raises InputError for a bad name and for one that is taken.
        """
        check_name(name, "the token's name")
        if name.startswith(CONSOLE_PREFIX):
            raise InputError(f"names that begin with {CONSOLE_PREFIX} are those of browsers that show the console")
        token = make_token()
        try:
            self._db.execute("INSERT INTO tokens VALUES (?, ?, ?, NULL)", (name, hash_of(token), time.time()))
        except sqlite3.IntegrityError:
            raise InputError(
                f"there is a platform token {name!r} already", hint=f"`homeport platform token revoke {name}` ends it"
            ) from None
        return token

    def list_tokens(self) -> list[ListedToken]:
        """Returns all tokens by name."""
        rows = self._db.execute("SELECT name, created_at, used_at FROM tokens ORDER BY name").fetchall()
        return [
            {"name": name, "kind": "platform", "created_at": created, "used_at": used, "expires_at": None}
            for name, created, used in rows
        ]

    def revoke(self, name: str) -> None:
        """Removes a token.

        Raises NotFoundError if there is none of that name.
        """
        if self._db.execute("DELETE FROM tokens WHERE name = ?", (name,)).rowcount == 0:
            raise NotFoundError(
                f"there is no platform token {name!r}", hint="`homeport platform token list` shows them"
            )

    def name_of(self, token: str) -> str | None:
        """Returns the name of a token, None if it is none of the platform's."""
        row = self._db.execute("SELECT name FROM tokens WHERE hash = ?", (hash_of(token),)).fetchone()
        return row[0] if row else None

    def accept(self, token: str) -> bool:
        """Tells whether `token` is one of the platform's, and records its use."""
        given = hash_of(token)
        found = None
        for name, expected, used in self._db.execute("SELECT name, hash, used_at FROM tokens").fetchall():
            if hmac.compare_digest(given, expected):
                found = name, used
        if found is None:
            return False
        name, used = found
        now = time.time()
        if used is None or abs(now - used) > USE_PRECISION_S:
            self._db.execute("UPDATE tokens SET used_at = ? WHERE name = ?", (now, name))
        return True
