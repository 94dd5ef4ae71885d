"""Stores what users have granted: authorization codes, and refresh tokens in families that share one grant."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from dataclasses import dataclass

from ..bearer import hash_of
from ..config.names import AT
from .access_tokens import REMOTE_ACCESS_S
from .model import Grant, OAuthError

# The seconds in which a code has to be exchanged, and those for which a used one is remembered.
CODE_S = 60.0
USED_CODE_S = 3600.0
# The seconds since its last use after which a grant ends.
GRANT_S = 30 * 86_400.0
# The seconds in which a refresh token that has a successor still works: processes of one client refresh side by side,
# and an answer may be lost.
GRACE_S = 30.0
# The refresh tokens of a grant that are known, its newest: a client that refreshes in a loop must not fill the disk.
# That an older one was used before is not noticed any more, but it is worth nothing either.
MOST_TOKENS = 1000
# The seconds in which a refresh after a refused call is answered with `invalid_grant`, and those in which refused calls
# are written down once.
STEP_UP_S = 60.0
NOTED_S = 1.0
# The seconds for which a resource elsewhere is told that a grant has ended: until it believes no token of it any more,
# whose clock may differ (homeport_runtime.guard.issued_tokens). Only the newest are told, since all have to fit into
# what it reads (homeport_runtime.guard.issuer_keys).
ENDED_S = REMOTE_ACCESS_S + 2 * 240.0
MOST_ENDED = 15_000

SCHEMA = (
    """
CREATE TABLE IF NOT EXISTS signin_grants (
    id TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    client TEXT NOT NULL,
    user TEXT NOT NULL,
    resource TEXT NOT NULL,
    scopes TEXT NOT NULL,
    client_name TEXT NOT NULL,
    created_at REAL NOT NULL,
    used_at REAL NOT NULL,
    refused_at REAL
) STRICT
""",
    """
CREATE TABLE IF NOT EXISTS signin_codes (
    hash TEXT PRIMARY KEY,
    grant_id TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    challenge TEXT NOT NULL,
    expires_at REAL NOT NULL,
    used INTEGER NOT NULL DEFAULT 0
) STRICT
""",
    """
CREATE TABLE IF NOT EXISTS signin_refresh_tokens (
    hash TEXT PRIMARY KEY,
    grant_id TEXT NOT NULL REFERENCES signin_grants (id) ON DELETE CASCADE,
    replaced_at REAL
) STRICT
""",
    "CREATE INDEX IF NOT EXISTS signin_refresh_tokens_of ON signin_refresh_tokens (grant_id)",
    "CREATE TABLE IF NOT EXISTS signin_ended (id TEXT PRIMARY KEY, ended_at REAL NOT NULL) STRICT",
)
_COLUMNS = "id, project, client, user, resource, scopes"


@dataclass(frozen=True, slots=True)
class ListedGrant:
    """Is a grant as people see it; its times are in seconds since 1970."""

    grant: Grant
    client_name: str
    created_at: float
    used_at: float


class Grants:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        for table in SCHEMA:
            db.execute(table)

    def grant_code(self, grant: Grant, client_name: str, redirect_uri: str, challenge: str) -> str:
        """Stores a grant, and returns the code for it."""
        code, now = secrets.token_urlsafe(32), time.time()
        self._forget_old(now)
        told = (grant.id, grant.project, grant.client, grant.user, grant.resource, json.dumps(grant.scopes))
        self._db.execute(
            "INSERT INTO signin_grants VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)", (*told, client_name, now, now)
        )
        self._db.execute(
            "INSERT INTO signin_codes VALUES (?, ?, ?, ?, ?, 0)",
            (hash_of(code), grant.id, redirect_uri, challenge, now + CODE_S),
        )
        return code

    def redeem(self, code: str, client: str, redirect_uri: str | None, challenge: str) -> tuple[Grant, str]:
        """Returns the grant of a code, and its first refresh token. Clients of OAuth 2.1 send no `redirect_uri` here.

        Whatever is wrong ends the code. One that is used twice was stolen, so that ends its grant (OAuth 2.1, section
        4.1.3). Raises OAuthError.
        """
        row = self._db.execute(
            "UPDATE signin_codes SET used = used + 1 WHERE hash = ? RETURNING grant_id, redirect_uri, challenge, "
            "expires_at, used",
            (hash_of(code),),
        ).fetchone()
        grant = self._find(row[0]) if row else None
        if row is None or grant is None:
            raise OAuthError("invalid_grant", "the code is unknown")
        _, known_uri, known_challenge, expires_at, uses = row
        if uses > 1 or expires_at < time.time() or grant.client != client:
            self.end(grant.id)
            raise OAuthError("invalid_grant", "the code was used before, has expired, or belongs to another client")
        if redirect_uri not in (None, known_uri) or not secrets.compare_digest(challenge, known_challenge):
            self.end(grant.id)
            raise OAuthError("invalid_grant", "redirect_uri or code_verifier are not those of the authorization")
        return grant, self._new_token(grant.id)

    def check_refresh(self, token: str, client: str) -> Grant:
        """Returns the grant of a refresh token, which `replace` replaces.

        One that was replaced a while ago was stolen, by whoever has the old one or the new one: that ends the grant
        (OAuth 2.1, section 4.3.1). Raises OAuthError.
        """
        row = self._db.execute(
            "SELECT grant_id, replaced_at FROM signin_refresh_tokens WHERE hash = ?", (hash_of(token),)
        ).fetchone()
        grant = self._find(row[0]) if row else None
        if row is None or grant is None or grant.client != client:
            raise OAuthError("invalid_grant", "the refresh token is unknown")
        now, replaced_at = time.time(), row[1]
        if replaced_at is not None and now - replaced_at > GRACE_S:
            self.end(grant.id)
            raise OAuthError("invalid_grant", "the refresh token was used before: its sign-in has ended")
        if self._was_refused(grant.id, now):
            raise OAuthError("invalid_grant", "a call needs more scopes: ask the user for them")
        return grant

    def replace(self, token: str, grant: str) -> str:
        """Returns the token that replaces the refresh token of a grant."""
        successor, now = self._new_token(grant), time.time()
        self._db.execute(
            "UPDATE signin_refresh_tokens SET replaced_at = ? WHERE hash = ? AND replaced_at IS NULL",
            (now, hash_of(token)),
        )
        self._db.execute("UPDATE signin_grants SET used_at = ? WHERE id = ?", (now, grant))
        self._db.execute(
            "DELETE FROM signin_refresh_tokens WHERE grant_id = ? AND rowid <= (SELECT rowid FROM "
            "signin_refresh_tokens WHERE grant_id = ? ORDER BY rowid DESC LIMIT 1 OFFSET ?)",
            (grant, grant, MOST_TOKENS),
        )
        return successor

    def refused(self, grant: str, project: str) -> None:
        """Notes that a call was refused for want of a scope.

        Some clients refresh then, get the same scopes, and give up; if the refresh fails they ask the user
        (typescript-sdk, issue 2255).
        """
        now = time.time()
        self._db.execute(
            "UPDATE signin_grants SET refused_at = ? WHERE id = ? AND project = ? AND coalesce(refused_at, 0) < ?",
            (now, grant, project, now - NOTED_S),
        )

    def _was_refused(self, grant: str, now: float) -> bool:
        """Tells, once for each refusal, whether a call was refused just now."""
        row = self._db.execute(
            "UPDATE signin_grants SET refused_at = NULL WHERE id = ? AND refused_at > ? RETURNING id",
            (grant, now - STEP_UP_S),
        ).fetchone()
        return row is not None

    def grant_of(self, token: str) -> Grant | None:
        """Returns the grant that a refresh token belongs to."""
        row = self._db.execute(
            "SELECT grant_id FROM signin_refresh_tokens WHERE hash = ?", (hash_of(token),)
        ).fetchone()
        return self._find(row[0]) if row else None

    def end(self, grant: str) -> None:
        """Ends a grant with all of its refresh tokens; an access token lives on until it expires, or until a resource
        elsewhere has heard of it.
        """
        now = time.time()
        self._db.execute("DELETE FROM signin_ended WHERE ended_at < ?", (now - ENDED_S,))
        # The name of a resource elsewhere has this sign, and no project's.
        self._db.execute(
            "INSERT OR REPLACE INTO signin_ended SELECT id, ? FROM signin_grants WHERE id = ? AND instr(project, ?)",
            (now, grant, AT),
        )
        self._db.execute("DELETE FROM signin_refresh_tokens WHERE grant_id = ?", (grant,))
        self._db.execute("DELETE FROM signin_grants WHERE id = ?", (grant,))

    def ended(self) -> list[str]:
        """Returns the grants to resources elsewhere that have ended while access tokens may still be valid, the newest
        first.
        """
        rows = self._db.execute(
            "SELECT id FROM signin_ended WHERE ended_at > ? ORDER BY ended_at DESC LIMIT ?",
            (time.time() - ENDED_S, MOST_ENDED),
        ).fetchall()
        return [grant for (grant,) in rows]

    def end_of(self, project: str, user: str | None = None) -> int:
        """Ends the grants of a project, or those of one user, and returns how many there were."""
        ended = self._of(project, user)
        for grant in ended:
            self.end(grant)
        return len(ended)

    def has(self, project: str, user: str) -> bool:
        """Tells whether a user has signed in to a project."""
        return bool(self._of(project, user))

    def _of(self, project: str, user: str | None) -> list[str]:
        listed = self.listed(project)
        return [each.grant.id for each in listed if user is None or each.grant.user.lower() == user.lower()]

    def listed(self, project: str) -> list[ListedGrant]:
        rows = self._db.execute(
            f"SELECT {_COLUMNS}, client_name, created_at, used_at FROM signin_grants WHERE project = ? "  # noqa: S608
            "ORDER BY user, created_at",
            (project,),
        ).fetchall()
        return [ListedGrant(_grant(*row[:6]), *row[6:]) for row in rows]

    def _find(self, grant: str) -> Grant | None:
        row = self._db.execute(
            f"SELECT {_COLUMNS} FROM signin_grants WHERE id = ? AND used_at > ?",  # noqa: S608
            (grant, time.time() - GRANT_S),
        ).fetchone()
        return _grant(*row) if row else None

    def _new_token(self, grant: str) -> str:
        token = secrets.token_urlsafe(32)
        self._db.execute("INSERT INTO signin_refresh_tokens VALUES (?, ?, NULL)", (hash_of(token), grant))
        return token

    def _forget_old(self, now: float) -> None:
        self._db.execute("DELETE FROM signin_grants WHERE used_at < ?", (now - GRANT_S,))
        self._db.execute("DELETE FROM signin_codes WHERE expires_at < ?", (now - USED_CODE_S,))
        # A code that nobody has exchanged leaves a grant without a token.
        self._db.execute(
            "DELETE FROM signin_grants WHERE created_at < ? AND id NOT IN (SELECT grant_id FROM signin_refresh_tokens)",
            (now - CODE_S,),
        )
        self._db.execute("DELETE FROM signin_refresh_tokens WHERE replaced_at < ?", (now - GRANT_S,))


def new_grant_id() -> str:
    return secrets.token_urlsafe(16)


def _grant(grant: str, project: str, client: str, user: str, resource: str, scopes: str) -> Grant:
    return Grant(grant, project, client, user, resource, tuple(json.loads(scopes)))
