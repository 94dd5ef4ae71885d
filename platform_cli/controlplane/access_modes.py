"""Stores who may call a project: everyone, or whoever has a token or has signed in. Of its own token only the hash is
stored.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Literal

from ..bearer import hash_of, make_token


@dataclass(frozen=True, slots=True)
class Mode:
    """Is how callers are known: by the project's own token, of which this is the hash, and also by sign-in if
    `signs_in`. Without a hash everyone may call.
    """

    token_hash: str | None = None
    signs_in: bool = False

    @property
    def name(self) -> Literal["none", "token", "oauth"]:
        """Returns the mode as fastmcp.toml names it."""
        if self.token_hash is None:
            return "none"
        return "oauth" if self.signs_in else "token"


class AccessModes:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.execute("CREATE TABLE IF NOT EXISTS access (project TEXT PRIMARY KEY, hash TEXT NOT NULL) STRICT")
        db.execute("CREATE TABLE IF NOT EXISTS signs_in (project TEXT PRIMARY KEY) STRICT")

    def mode(self, project: str) -> Mode:
        row = self._db.execute("SELECT hash FROM access WHERE project = ?", (project,)).fetchone()
        signs_in = self._db.execute("SELECT 1 FROM signs_in WHERE project = ?", (project,)).fetchone()
        return Mode(row[0] if row else None, signs_in is not None)

    def put(self, project: str, mode: Mode) -> None:
        if mode.token_hash is None:
            self._db.execute("DELETE FROM access WHERE project = ?", (project,))
        else:
            self._db.execute("INSERT OR REPLACE INTO access VALUES (?, ?)", (project, mode.token_hash))
        if mode.signs_in:
            self._db.execute("INSERT OR REPLACE INTO signs_in VALUES (?)", (project,))
        else:
            self._db.execute("DELETE FROM signs_in WHERE project = ?", (project,))

    def is_settled(self, project: str, configured: str | None) -> bool:
        """Tells whether `settle` would change nothing."""
        return configured in (None, "none") or self.mode(project).name == configured

    def settle(self, project: str, configured: str | None) -> str | None:
        """Applies the configured mode, None to change nothing, and returns the token if one was made."""
        if configured is None:
            return None
        if configured == "none":
            self.put(project, Mode())
            return None
        before = self.mode(project).token_hash
        token = make_token() if before is None else None
        self.put(project, Mode(hash_of(token) if token else before, signs_in=configured == "oauth"))
        return token

    def renew(self, project: str) -> str:
        """Returns a new token, which replaces the old one."""
        token = make_token()
        self.put(project, Mode(hash_of(token), self.mode(project).signs_in))
        return token
