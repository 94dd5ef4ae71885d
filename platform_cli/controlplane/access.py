"""Stores who may call a project: everyone, or whoever has its bearer token, of which only the hash is stored."""

from __future__ import annotations

import sqlite3

from ..bearer import hash_of, make_token


class Access:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.execute("CREATE TABLE IF NOT EXISTS access (project TEXT PRIMARY KEY, hash TEXT NOT NULL) STRICT")

    def token_hash(self, project: str) -> str | None:
        """Returns the hash of the project's token, None if everyone may call."""
        row = self._db.execute("SELECT hash FROM access WHERE project = ?", (project,)).fetchone()
        return row[0] if row else None

    def put(self, project: str, token_hash: str | None) -> None:
        if token_hash is None:
            self._db.execute("DELETE FROM access WHERE project = ?", (project,))
        else:
            self._db.execute("INSERT OR REPLACE INTO access VALUES (?, ?)", (project, token_hash))

    def settle(self, project: str, mode: str | None) -> str | None:
        """Applies the configured mode, None to change nothing, and returns the token if one was made."""
        if mode == "none":
            self.put(project, None)
        if mode != "token" or self.token_hash(project) is not None:
            return None
        return self.renew(project)

    def renew(self, project: str) -> str:
        """Returns a new token, which replaces the old one."""
        token = make_token()
        self.put(project, hash_of(token))
        return token
