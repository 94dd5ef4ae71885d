"""Stores the head of each project's chain in the platform's database, so that a cut at the end of its files shows.

What is older than it keeps is removed from the front, so the store also has where the chain starts now.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from .chain import NOTHING, Head


class Heads:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.execute(
            "CREATE TABLE IF NOT EXISTS audit_heads (project TEXT PRIMARY KEY, seq INTEGER NOT NULL, "
            "hash TEXT NOT NULL, start_seq INTEGER NOT NULL, start_hash TEXT NOT NULL) STRICT"
        )

    def head(self, project: str) -> Head:
        """Returns the last line that was stored as written; files may have a second's lines more after a crash."""
        row = self._db.execute("SELECT seq, hash FROM audit_heads WHERE project = ?", (project,)).fetchone()
        return Head(*row) if row else NOTHING

    def all(self) -> dict[str, int]:
        """Returns the number of each project's last line that was stored as written, and so is durable."""
        return dict(self._db.execute("SELECT project, seq FROM audit_heads").fetchall())

    def start(self, project: str) -> Head:
        """Returns the last line that was removed because of its age, NOTHING if none was."""
        row = self._db.execute("SELECT start_seq, start_hash FROM audit_heads WHERE project = ?", (project,)).fetchone()
        return Head(*row) if row else NOTHING

    def put(self, heads: Mapping[str, Head]) -> None:
        """Stores the heads of several projects, durably."""
        with self._db:
            self._db.execute("BEGIN")
            self._db.executemany(
                "INSERT INTO audit_heads VALUES (?, ?, ?, 0, ?) "
                "ON CONFLICT (project) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
                [(project, head.seq, head.hash, NOTHING.hash) for project, head in heads.items()],
            )

    def start_after(self, project: str, removed: Head) -> None:
        """Notes that lines up to `removed` are going to be removed; called before they are."""
        self._db.execute(
            "UPDATE audit_heads SET start_seq = ?, start_hash = ? WHERE project = ?",
            (removed.seq, removed.hash, project),
        )

    def forget(self, project: str) -> None:
        self._db.execute("DELETE FROM audit_heads WHERE project = ?", (project,))
