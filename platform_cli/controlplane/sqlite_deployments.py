"""Stores deployments of this machine as rows of the store."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from ..pushes.deployments import (
    KEPT,
    REMEMBERED_S,
    Decide,
    Deployment,
    DeploymentRequest,
    Deployments,
    DeploymentState,
    needs_word,
)
from .store import transaction

_FIELDS = ", ".join(field.name for field in fields(Deployment))


class SQLiteDeployments(Deployments):
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def of(self, project: str) -> list[Deployment]:
        return self._select("project = ? ORDER BY id DESC", project)

    def insert(self, requests: Iterable[DeploymentRequest], decide: Decide, delivery: str | None) -> list[str]:
        now = time.time()
        with transaction(self._db):
            if delivery is not None:
                self._db.execute("DELETE FROM deliveries WHERE received_at < ?", (now - REMEMBERED_S,))
                known = self._db.execute("INSERT OR IGNORE INTO deliveries VALUES (?, ?)", (delivery, now))
                if known.rowcount == 0:
                    return []
            return [one.project for one in requests if self._insert(one, decide, now)]

    def _insert(self, request: DeploymentRequest, decide: Decide, now: float) -> bool:
        overtaken = decide(self.of(request.project), request)
        if overtaken is None:
            return False
        for one in overtaken:
            self.update(one, state="overtaken", ended_at=now)
        self._db.execute(
            "INSERT INTO deployments (project, link, pull, sha, queued_at) VALUES (?, ?, ?, ?, ?)",
            (request.project, request.link, request.pull, request.sha, now),
        )
        self._db.execute(
            "DELETE FROM deployments WHERE project = ? AND state NOT IN ('waiting', 'running') AND id NOT IN "
            "(SELECT id FROM deployments WHERE project = ? ORDER BY id DESC LIMIT ?)",
            (request.project, request.project, KEPT),
        )
        return True

    def update(self, deployment: Deployment, *, only_if: DeploymentState | None = None, **fields: Any) -> bool:
        columns = ", ".join(f"{name} = ?" for name in fields)
        values = [json.dumps(value) if isinstance(value, dict) else value for value in fields.values()]
        done = self._db.execute(
            f"UPDATE deployments SET {columns} WHERE id = ? AND state = coalesce(?, state)",  # noqa: S608
            (*values, deployment.id, only_if),
        )
        return done.rowcount == 1

    def resume(self) -> list[str]:
        """Restarts interrupted deployments, and returns the projects that have something to do after a start."""
        rows = self._db.execute("SELECT DISTINCT project FROM deployments WHERE state IN ('waiting', 'running')")
        projects = [row[0] for row in rows.fetchall()]
        for project in projects:
            self.restart(project)
        return projects

    def all_unreported(self) -> list[Deployment]:
        """Returns what is to be reported to GitHub of all projects, oldest first."""
        return [known for known in self._select("state != reported ORDER BY id") if needs_word(known)]

    def append_log(self, deployment: Deployment, line: str) -> None:
        self._db.execute("UPDATE deployments SET log = log || ? WHERE id = ?", (f"{line}\n", deployment.id))

    def clear_log(self, deployment: Deployment) -> None:
        self._db.execute("UPDATE deployments SET log = '' WHERE id = ?", (deployment.id,))

    def log(self, deployment: Deployment) -> str:
        text: str = self._db.execute("SELECT log FROM deployments WHERE id = ?", (deployment.id,)).fetchone()[0]
        return text

    def previews(self, link: str) -> list[str]:
        rows = self._db.execute("SELECT DISTINCT project FROM deployments WHERE link = ? AND pull IS NOT NULL", (link,))
        return [row[0] for row in rows]

    def forget(self, project: str) -> None:
        self._db.execute("DELETE FROM deployments WHERE project = ? AND pull IS NULL", (project,))

    def comment(self, preview: str) -> int | None:
        row = self._db.execute("SELECT github_id FROM comments WHERE preview = ?", (preview,)).fetchone()
        return row[0] if row else None

    def set_comment(self, preview: str, github_id: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO comments VALUES (?, ?)", (preview, github_id))

    def _select(self, where: str, *values: object) -> list[Deployment]:
        rows = self._db.execute(f"SELECT {_FIELDS} FROM deployments WHERE {where}", values).fetchall()  # noqa: S608
        return [_read(row) for row in rows]


def _read(row: tuple[Any, ...]) -> Deployment:
    found = Deployment(*row)
    difference = json.loads(row[-1]) if row[-1] else None
    return replace(found, blocked=bool(found.blocked), difference=difference)
