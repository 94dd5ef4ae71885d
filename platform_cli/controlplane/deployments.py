"""The queue of commits to deploy, and what became of each: it is on disk before GitHub hears that we have it."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from .store import transaction

# For how long a delivery is remembered, in seconds; GitHub delivers again what is up to three days old.
REMEMBERED_S = 30 * 86400.0
# How many deployments of a project are kept.
KEPT = 200

State = Literal["waiting", "running", "live", "failed", "overtaken", "gone"]
_FIELDS = (
    "id, project, link, pull, sha, state, queued_at, started_at, ended_at, author, message, release, error, reported, "
    "github_id, blocked, difference"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The commit `sha` for `project`; None ends the project, as closing the pull request `pull` does for its preview.
    `link` is the linked project that it is about.
    """

    project: str
    link: str
    sha: str | None
    pull: int | None = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """One commit on its way, or there. `overtaken` is one that a newer made needless, `gone` an ended preview.

    `reported` is the last state that GitHub knows of, `github_id` its own deployment.
    """

    id: int
    project: str
    link: str
    pull: int | None
    sha: str | None
    state: State
    queued_at: float
    started_at: float | None
    ended_at: float | None
    author: str | None
    message: str | None
    release: int | None
    error: str | None
    reported: State
    github_id: int | None
    blocked: bool
    difference: Mapping[str, Any] | None


class Deployments:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def receive(self, delivery: str, wanted: Iterable[Wanted]) -> list[str]:
        """Remembers a delivery and what it wants, in one transaction; the projects that have something to do. None for
        a delivery that was here before.
        """
        now = time.time()
        with transaction(self._db):
            self._db.execute("DELETE FROM deliveries WHERE received_at < ?", (now - REMEMBERED_S,))
            if self._db.execute("INSERT OR IGNORE INTO deliveries VALUES (?, ?)", (delivery, now)).rowcount == 0:
                return []
            return [one.project for one in wanted if self._add(one, now)]

    def add(self, wanted: Wanted, *, again: bool = False) -> bool:
        with transaction(self._db):
            return self._add(wanted, time.time(), again=again)

    def _add(self, wanted: Wanted, now: float, *, again: bool = False) -> bool:
        """False when that commit is the newest of the project already, unless it is wanted `again`. Those that wait
        are overtaken.
        """
        newest = self._one("project = ? AND state != 'overtaken'", wanted.project)
        if newest and newest.sha == wanted.sha and newest.state != "failed" and not again:
            return False
        self._db.execute(
            "UPDATE deployments SET state = 'overtaken', ended_at = ? WHERE project = ? AND state = 'waiting'",
            (now, wanted.project),
        )
        self._db.execute(
            "INSERT INTO deployments (project, link, pull, sha, queued_at) VALUES (?, ?, ?, ?, ?)",
            (wanted.project, wanted.link, wanted.pull, wanted.sha, now),
        )
        self._db.execute(
            "DELETE FROM deployments WHERE project = ? AND state NOT IN ('waiting', 'running') AND id <= "
            "(SELECT max(id) FROM deployments) AND id NOT IN "
            "(SELECT id FROM deployments WHERE project = ? ORDER BY id DESC LIMIT ?)",
            (wanted.project, wanted.project, KEPT),
        )
        return True

    def resume(self) -> list[str]:
        """The projects that have something to do after a start: what was under way begins again, unless something
        newer waits.
        """
        with transaction(self._db):
            self._db.execute(
                "UPDATE deployments SET state = 'overtaken' WHERE state = 'running' AND EXISTS (SELECT 1 FROM "
                "deployments AS newer WHERE newer.project = deployments.project AND newer.state = 'waiting')"
            )
            self._db.execute("UPDATE deployments SET state = 'waiting' WHERE state = 'running'")
        return [row[0] for row in self._db.execute("SELECT DISTINCT project FROM deployments WHERE state = 'waiting'")]

    def begin(self, project: str) -> Deployment | None:
        """The one that waits, which runs from now on."""
        waiting = self._one("project = ? AND state = 'waiting'", project)
        if waiting is None:
            return None
        self.update(waiting.id, state="running", started_at=time.time(), log="")
        return self.get(waiting.id)

    def end(self, deployment: Deployment, state: State, **fields: object) -> None:
        self.update(deployment.id, state=state, ended_at=time.time(), **fields)

    def update(self, number: int, **fields: object) -> None:
        columns = ", ".join(f"{name} = ?" for name in fields)
        self._db.execute(f"UPDATE deployments SET {columns} WHERE id = ?", (*fields.values(), number))  # noqa: S608

    def append_log(self, deployment: Deployment, line: str) -> None:
        self._db.execute("UPDATE deployments SET log = log || ? WHERE id = ?", (f"{line}\n", deployment.id))

    def log(self, number: int) -> str:
        text: str = self._db.execute("SELECT log FROM deployments WHERE id = ?", (number,)).fetchone()[0]
        return text

    def get(self, number: int) -> Deployment | None:
        return self._one("id = ?", number)

    def live(self, project: str) -> Deployment | None:
        return self._one("project = ? AND state = 'live'", project)

    def of(self, project: str) -> list[Deployment]:
        """Newest first."""
        return self._select("project = ?", project)

    def previews(self, link: str) -> list[str]:
        rows = self._db.execute("SELECT DISTINCT project FROM deployments WHERE link = ? AND pull IS NOT NULL", (link,))
        return [row[0] for row in rows]

    def unreported(self) -> list[Deployment]:
        """Oldest first; what was overtaken before GitHub heard of it needs no word."""
        told = "state != reported AND state != 'waiting' AND NOT (state = 'overtaken' AND reported = 'waiting')"
        return self._select(told)[::-1]

    def forget(self, project: str) -> None:
        """All of a project that has been destroyed; of a preview the pull request still has to hear."""
        self._db.execute("DELETE FROM deployments WHERE project = ? AND pull IS NULL", (project,))

    def github_id(self, project: str) -> int | None:
        """GitHub's number for the newest of the project's deployments that it knows."""
        return next((known.github_id for known in self.of(project) if known.github_id is not None), None)

    def comment(self, preview: str) -> int | None:
        row = self._db.execute("SELECT github_id FROM comments WHERE preview = ?", (preview,)).fetchone()
        return row[0] if row else None

    def set_comment(self, preview: str, github_id: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO comments VALUES (?, ?)", (preview, github_id))

    def _one(self, where: str, *values: object) -> Deployment | None:
        found = self._select(where, *values, limit=1)
        return found[0] if found else None

    def _select(self, where: str, *values: object, limit: int = -1) -> list[Deployment]:
        rows = self._db.execute(
            f"SELECT {_FIELDS} FROM deployments WHERE {where} ORDER BY id DESC LIMIT ?",  # noqa: S608
            (*values, limit),
        ).fetchall()
        return [_read(row) for row in rows]


def _read(row: tuple[Any, ...]) -> Deployment:
    found = Deployment(*row)
    difference = json.loads(row[-1]) if row[-1] else None
    return replace(found, blocked=bool(found.blocked), difference=difference)
