"""Stores registered clients, and for a while the documents of others, so that not every sign-in fetches them."""

from __future__ import annotations

import json
import sqlite3
import time

from .model import Client

# The seconds after which a client that nobody has used is forgotten, and after which one that was is.
UNUSED_S = 86_400.0
USED_S = 90 * 86_400.0
# The most clients that nobody has used. Beyond them the oldest go, so that no number of registrations locks anybody
# out: who was forgotten registers again, since the token endpoint answers `invalid_client`.
MAX_UNUSED = 1000


class RegisteredClients:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.execute(
            "CREATE TABLE IF NOT EXISTS signin_clients (id TEXT PRIMARY KEY, name TEXT NOT NULL, redirect_uris TEXT "
            "NOT NULL, created_at REAL NOT NULL, used_at REAL, fresh_until REAL) STRICT"
        )

    def find(self, client_id: str) -> Client | None:
        """Returns a registered client, or one whose document is still fresh."""
        row = self._db.execute(
            "SELECT id, name, redirect_uris FROM signin_clients "
            "WHERE id = ? AND (fresh_until IS NULL OR fresh_until > ?)",
            (client_id, time.time()),
        ).fetchone()
        return Client(row[0], row[1], tuple(json.loads(row[2]))) if row else None

    def knows(self, client_id: str) -> bool:
        """Tells whether there is such a client, however old its document is."""
        return self._db.execute("SELECT 1 FROM signin_clients WHERE id = ?", (client_id,)).fetchone() is not None

    def is_used(self, client_id: str) -> bool:
        """Tells whether somebody has signed in with the client."""
        row = self._db.execute("SELECT used_at FROM signin_clients WHERE id = ?", (client_id,)).fetchone()
        return row is not None and row[0] is not None

    def put(self, client: Client, fresh_until: float | None = None) -> None:
        """Stores a client; one that is there already stays as old as it is, and keeps its use."""
        self._db.execute(
            "INSERT INTO signin_clients VALUES (?, ?, ?, ?, NULL, ?) ON CONFLICT (id) DO UPDATE SET "
            "name = excluded.name, redirect_uris = excluded.redirect_uris, fresh_until = excluded.fresh_until",
            (client.id, client.name, json.dumps(client.redirect_uris), time.time(), fresh_until),
        )
        self._forget_unused()

    def use(self, client_id: str) -> None:
        """Notes that somebody has signed in with the client."""
        self._db.execute("UPDATE signin_clients SET used_at = ? WHERE id = ?", (time.time(), client_id))

    def _forget_unused(self) -> None:
        now = time.time()
        self._db.execute(
            "DELETE FROM signin_clients WHERE used_at < ? OR (used_at IS NULL AND (created_at < ? OR id NOT IN "
            "(SELECT id FROM signin_clients WHERE used_at IS NULL ORDER BY created_at DESC, rowid DESC LIMIT ?)))",
            (now - USED_S, now - UNUSED_S, MAX_UNUSED),
        )
