"""Stores sign-ins that are under way: from the client's request until the user's answer."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from dataclasses import asdict, dataclass

from ..bearer import hash_of

# The seconds that a person has for a sign-in.
LIFE_S = 600.0
# The most sign-ins that are under way; beyond them the oldest end, and first those that nobody has consented to.
MAX_PENDING = 500
# Letters that cannot be read as others and make no words (RFC 8628, section 6.1).
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"


@dataclass(frozen=True, slots=True)
class Asked:
    """Is what a client asks for, as checked: `scopes` of `project`, and where its user goes with the answer.

    `challenge` is that of PKCE (RFC 7636, S256).
    """

    client: str
    client_name: str
    redirect_uri: str
    state: str | None
    challenge: str
    project: str
    resource: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """Is a sign-in that is under way. Its page knows a secret of which `key` is the hash.

    `code` is what the owner approves. `browser` is the hash of the cookie of whoever has consented, None before
    that, and `user` who it turned out to be, None before that.
    """

    key: str
    asked: Asked
    code: str
    browser: str | None
    user: str | None


class PendingSignIns:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.execute(
            "CREATE TABLE IF NOT EXISTS signin_pending (key TEXT PRIMARY KEY, asked TEXT NOT NULL, code TEXT NOT NULL "
            "UNIQUE, browser TEXT, user TEXT, upstream TEXT, expires_at REAL NOT NULL) STRICT"
        )

    def begin(self, asked: Asked) -> str:
        """Stores a sign-in, and returns the secret of its page."""
        secret = secrets.token_urlsafe(32)
        now = time.time()
        self._db.execute("DELETE FROM signin_pending WHERE expires_at < ?", (now,))
        self._db.execute(
            "DELETE FROM signin_pending WHERE key NOT IN "
            "(SELECT key FROM signin_pending ORDER BY browser IS NULL, expires_at DESC LIMIT ?)",
            (MAX_PENDING - 1,),
        )
        row = (hash_of(secret), json.dumps(asdict(asked)), _approval_code(), now + LIFE_S)
        self._db.execute("INSERT INTO signin_pending (key, asked, code, expires_at) VALUES (?, ?, ?, ?)", row)
        return secret

    def find(self, secret: str) -> PendingSignIn | None:
        """Returns the sign-in of a page, None if it is over."""
        return self._find("key = ?", hash_of(secret))

    def find_code(self, code: str) -> PendingSignIn | None:
        """Returns the sign-in with that code, which is read without regard to case and signs."""
        letters = "".join(each for each in code.upper() if each in LETTERS)
        return self._find("code = ? AND browser IS NOT NULL", f"{letters[:4]}-{letters[4:]}")

    def find_upstream(self, state: str) -> PendingSignIn | None:
        """Returns the sign-in that waits for the answer to `state` from another server, once: it cannot be answered
        twice.
        """
        row = self._db.execute(
            "UPDATE signin_pending SET upstream = NULL WHERE upstream = ? AND expires_at > ? RETURNING key",
            (hash_of(state), time.time()),
        ).fetchone()
        return self._find("key = ?", row[0]) if row else None

    def consent(self, pending: PendingSignIn, browser: str, upstream: str | None = None) -> bool:
        """Binds a sign-in to the browser that has consented, by the secret of its cookie; False if it is bound already.

        `upstream` is the state with which another server will answer.
        """
        changed = self._db.execute(
            "UPDATE signin_pending SET browser = ?, upstream = ? WHERE key = ? AND browser IS NULL",
            (hash_of(browser), hash_of(upstream) if upstream else None, pending.key),
        )
        return changed.rowcount == 1

    def approve(self, pending: PendingSignIn, user: str) -> None:
        self._db.execute("UPDATE signin_pending SET user = ? WHERE key = ?", (user, pending.key))

    def end(self, pending: PendingSignIn) -> bool:
        """Removes a sign-in, and tells whether it was there, so that it has one answer."""
        return self._db.execute("DELETE FROM signin_pending WHERE key = ?", (pending.key,)).rowcount == 1

    def forget(self, project: str) -> None:
        self._db.execute("DELETE FROM signin_pending WHERE json_extract(asked, '$.project') = ?", (project,))

    def _find(self, condition: str, value: str) -> PendingSignIn | None:
        row = self._db.execute(
            f"SELECT key, asked, code, browser, user FROM signin_pending WHERE {condition} AND expires_at > ?",  # noqa: S608
            (value, time.time()),
        ).fetchone()
        if row is None:
            return None
        key, asked, code, browser, user = row
        told = json.loads(asked)
        return PendingSignIn(key, Asked(**{**told, "scopes": tuple(told["scopes"])}), code, browser, user)


def _approval_code() -> str:
    letters = "".join(secrets.choice(LETTERS) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"
