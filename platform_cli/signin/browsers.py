"""Stores which browsers are the owner's: those that have opened a one-time link."""

from __future__ import annotations

import secrets
import sqlite3
import time

from ..bearer import hash_of
from .model import OWNER

# The seconds in which a link has to be opened.
LINK_S = 900.0
# The seconds for which a browser is known: long where its cookie goes to the platform's own name alone, and short on
# loopback, where browsers send the cookies of one port to the servers on all others. There it serves for one sign-in.
KNOWN_S = 12 * 3600
KNOWN_ON_LOOPBACK_S = 600


class Browsers:
    """Is a table in which each row is a link, or the browser that has opened it."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.execute(
            "CREATE TABLE IF NOT EXISTS signin_browsers (hash TEXT PRIMARY KEY, kind TEXT NOT NULL, project TEXT NOT "
            "NULL, expires_at REAL NOT NULL) STRICT"
        )

    def make_link(self, project: str) -> str:
        """Returns the secret of a link that can be used once."""
        return self._add("link", project, LINK_S)

    def project_of_link(self, secret: str) -> str | None:
        return self._project("link", secret)

    def open_link(self, secret: str, known_s: float) -> tuple[str, str] | None:
        """Ends a link, and returns its project with the secret of the browser's cookie; None for one that is over."""
        row = self._db.execute(
            "DELETE FROM signin_browsers WHERE hash = ? AND kind = 'link' AND expires_at > ? RETURNING project",
            (hash_of(secret), time.time()),
        ).fetchone()
        return (row[0], self._add("browser", row[0], known_s)) if row else None

    def user(self, secret: str | None, project: str) -> str | None:
        """Returns who a browser belongs to, as far as that project goes."""
        return OWNER if secret is not None and self._project("browser", secret) == project else None

    def forget(self, secret: str) -> None:
        self._db.execute("DELETE FROM signin_browsers WHERE hash = ?", (hash_of(secret),))

    def forget_project(self, project: str) -> None:
        self._db.execute("DELETE FROM signin_browsers WHERE project = ?", (project,))

    def _add(self, kind: str, project: str, life_s: float) -> str:
        secret, now = secrets.token_urlsafe(32), time.time()
        self._db.execute("DELETE FROM signin_browsers WHERE expires_at < ?", (now,))
        self._db.execute(
            "INSERT INTO signin_browsers VALUES (?, ?, ?, ?)", (hash_of(secret), kind, project, now + life_s)
        )
        return secret

    def _project(self, kind: str, secret: str) -> str | None:
        row = self._db.execute(
            "SELECT project FROM signin_browsers WHERE hash = ? AND kind = ? AND expires_at > ?",
            (hash_of(secret), kind, time.time()),
        ).fetchone()
        return row[0] if row else None
