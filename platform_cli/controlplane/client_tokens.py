"""Stores the client tokens of projects, of which only the hashes are stored: who calls, for whom, and what they may."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable

from homeport_runtime.guard.access import ClientToken

from ..api.client_token import ListedClientToken, WantedClientToken
from ..bearer import hash_of, make_token
from ..errors import NotFoundError

# The digits of a token's hash by which it is called: it is shown, and cannot be guessed from the token's name.
ID_DIGITS = 8
# The seconds for which another use of a token is not recorded.
USE_PRECISION_S = 60.0


def id_of(token: str) -> str:
    """Returns what a token is called."""
    return hash_of(token)[:ID_DIGITS]


class ClientTokens:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.execute(
            "CREATE TABLE IF NOT EXISTS client_tokens (project TEXT NOT NULL, hash TEXT NOT NULL, client TEXT NOT NULL,"
            " user TEXT, scopes TEXT, created_at REAL NOT NULL, expires_at REAL, used_at REAL,"
            " PRIMARY KEY (project, hash)) STRICT"
        )

    def create(self, project: str, wanted: WantedClientToken) -> str:
        """Returns a new token, which is not stored."""
        token, now = make_token(), time.time()
        scopes, expires_s = wanted["scopes"], wanted["expires_s"]
        self._db.execute(
            "INSERT INTO client_tokens VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
            (
                project,
                hash_of(token),
                wanted["client"],
                wanted["user"],
                None if scopes is None else json.dumps(scopes),
                now,
                None if expires_s is None else now + expires_s,
            ),
        )
        return token

    def of(self, project: str) -> tuple[ClientToken, ...]:
        """Returns the tokens of a project as its guard knows them, which looks whether they have expired."""
        rows = self._db.execute(
            "SELECT hash, client, user, scopes, expires_at FROM client_tokens WHERE project = ? ORDER BY created_at",
            (project,),
        ).fetchall()
        return tuple(
            ClientToken(hashed, client, user, None if scopes is None else tuple(json.loads(scopes)), expires_at)
            for hashed, client, user, scopes, expires_at in rows
        )

    def list_tokens(self, project: str) -> list[ListedClientToken]:
        """Returns all tokens of a project, oldest first, with times in seconds since 1970."""
        rows = self._db.execute(
            "SELECT hash, client, user, scopes, created_at, expires_at, used_at FROM client_tokens "
            "WHERE project = ? ORDER BY created_at",
            (project,),
        ).fetchall()
        return [
            {
                "id": hashed[:ID_DIGITS],
                "client": client,
                "user": user,
                "scopes": None if scopes is None else json.loads(scopes),
                "created_at": created,
                "expires_at": expires,
                "used_at": used,
            }
            for hashed, client, user, scopes, created, expires, used in rows
        ]

    def revoke(self, project: str, token_id: str) -> None:
        """Removes a token.

        Raises NotFoundError if the project has none of that id.
        """
        found = self._db.execute(
            "DELETE FROM client_tokens WHERE project = ? AND substr(hash, 1, ?) = ?", (project, ID_DIGITS, token_id)
        )
        if found.rowcount == 0:
            raise NotFoundError(
                f"{project} has no client token {token_id!r}", hint=f"`homeport token list {project}` shows them"
            )

    def note_use(self, project: str, hashes: Iterable[str]) -> None:
        now = time.time()
        self._db.executemany(
            "UPDATE client_tokens SET used_at = ? WHERE project = ? AND hash = ? AND coalesce(used_at < ?, TRUE)",
            [(now, project, each, now - USE_PRECISION_S) for each in hashes],
        )

    def forget(self, project: str) -> None:
        self._db.execute("DELETE FROM client_tokens WHERE project = ?", (project,))
