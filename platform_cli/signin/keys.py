"""Derives each project's keys for access tokens from the platform's own key (HKDF, RFC 5869), and rotates them.

Only numbers and times are stored. A project's workers have its keys, so a server can forge tokens for itself alone.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .access_tokens import ACCESS_S

KEY_BYTES = 32
# The age in seconds at which a key gets a successor.
ROTATE_S = 30 * 86_400.0
# The seconds after which a key that follows another one signs: until then all workers have heard of it.
HEARD_S = 300.0


class ProjectKeys:
    """Holds the keys of all projects; `platform_key` returns the platform's own key."""

    def __init__(self, db: sqlite3.Connection, platform_key: Callable[[], bytes]) -> None:
        self._db = db
        self._platform_key = platform_key
        db.execute(
            "CREATE TABLE IF NOT EXISTS signin_keys (project TEXT NOT NULL, number INTEGER NOT NULL, made_at REAL NOT "
            "NULL, ends_at REAL, PRIMARY KEY (project, number)) STRICT"
        )

    def accepted(self, project: str) -> dict[str, str]:
        """Returns the keys that a project's workers accept, in hexadecimal digits by their id, the newest first."""
        numbers = [number for number, _ in self._valid(project)] or [self._add(project)]
        return {str(number): self._derive(project, number).hex() for number in numbers}

    def signing(self, project: str) -> tuple[str, bytes]:
        """Returns the id of the key that signs, and the key: the newest that workers know, or the only one."""
        rows = self._valid(project) or [(self._add(project), time.time())]
        heard = [number for number, made_at in rows if made_at <= time.time() - HEARD_S]
        number = heard[0] if heard else rows[-1][0]
        return str(number), self._derive(project, number)

    def rotate_old(self, project: str) -> bool:
        """Gives the project a new key if its newest is old, and tells whether it did; the one before signs until
        workers have heard of it, and is accepted for as long as its tokens live.
        """
        row = self._db.execute("SELECT max(made_at) FROM signin_keys WHERE project = ?", (project,)).fetchone()
        if row[0] is None or row[0] > time.time() - ROTATE_S:
            return False
        self._end(project, time.time() + HEARD_S + ACCESS_S)
        self._add(project)
        return True

    def replace(self, project: str) -> None:
        """Gives the project a new key, and ends all others, with every access token that there is."""
        self._end(project, time.time())
        self._add(project)

    def _valid(self, project: str) -> list[tuple[int, float]]:
        """Returns the numbers of the keys that have not ended, the newest first, and when each was made."""
        return self._db.execute(
            "SELECT number, made_at FROM signin_keys WHERE project = ? AND (ends_at IS NULL OR ends_at > ?) "
            "ORDER BY number DESC",
            (project, time.time()),
        ).fetchall()

    def _end(self, project: str, at: float) -> None:
        self._db.execute(
            "UPDATE signin_keys SET ends_at = min(coalesce(ends_at, ?), ?) WHERE project = ?", (at, at, project)
        )

    def _add(self, project: str) -> int:
        row = self._db.execute(
            "INSERT INTO signin_keys SELECT ?, coalesce(max(number), 0) + 1, ?, NULL FROM signin_keys "
            "WHERE project = ? RETURNING number",
            (project, time.time(), project),
        ).fetchone()
        return int(row[0])

    def _derive(self, project: str, number: int) -> bytes:
        info = f"homeport access tokens\0{project}\0{number}".encode()
        return HKDF(SHA256(), KEY_BYTES, salt=None, info=info).derive(self._platform_key())
