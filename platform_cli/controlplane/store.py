"""Stores projects and their releases in SQLite (WAL), each change in one transaction."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .. import __version__
from ..database import open_database
from ..errors import NotFoundError, PlatformError
from ..origin import UNKNOWN, Origin
from ..supervisor.release import Container

# Each migration brings the store from the version that is its index to the next one (PRAGMA user_version).
MIGRATIONS = (
    """
CREATE TABLE projects (
    name TEXT PRIMARY KEY,
    port INTEGER NOT NULL UNIQUE,
    state_key TEXT NOT NULL,
    folder TEXT NOT NULL,
    created_at REAL NOT NULL,
    active INTEGER
) STRICT;
CREATE TABLE releases (
    project TEXT NOT NULL REFERENCES projects (name) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    bundle TEXT NOT NULL,
    created_at REAL NOT NULL,
    error TEXT,
    PRIMARY KEY (project, number)
) STRICT;
""",
    """
ALTER TABLE releases ADD COLUMN secrets TEXT NOT NULL DEFAULT '{}';
ALTER TABLE releases ADD COLUMN reason TEXT NOT NULL DEFAULT 'deploy';
""",
    """
ALTER TABLE releases ADD COLUMN origin TEXT NOT NULL DEFAULT '{}';
CREATE TABLE repositories (
    id INTEGER PRIMARY KEY,
    github_id INTEGER NOT NULL,
    server_url TEXT NOT NULL,
    api_url TEXT NOT NULL,
    name TEXT NOT NULL,
    hook_id INTEGER,
    error TEXT,
    UNIQUE (server_url, github_id)
) STRICT;
CREATE TABLE links (
    project TEXT PRIMARY KEY,
    repository INTEGER NOT NULL REFERENCES repositories (id),
    branch TEXT NOT NULL,
    folder TEXT NOT NULL,
    previews INTEGER NOT NULL,
    created_at REAL NOT NULL,
    UNIQUE (repository, branch, folder)
) STRICT;
CREATE TABLE deliveries (id TEXT PRIMARY KEY, received_at REAL NOT NULL) STRICT;
CREATE TABLE deployments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project TEXT NOT NULL,
    link TEXT NOT NULL,
    pull INTEGER,
    sha TEXT,
    state TEXT NOT NULL DEFAULT 'waiting',
    queued_at REAL NOT NULL,
    started_at REAL,
    ended_at REAL,
    author TEXT,
    message TEXT,
    release INTEGER,
    error TEXT,
    difference TEXT,
    blocked INTEGER NOT NULL DEFAULT 0,
    log TEXT NOT NULL DEFAULT '',
    reported TEXT NOT NULL DEFAULT 'waiting',
    github_id INTEGER
) STRICT;
CREATE INDEX deployments_of_a_project ON deployments (project, id);
CREATE TABLE comments (preview TEXT PRIMARY KEY, github_id INTEGER NOT NULL) STRICT;
""",
    """
ALTER TABLE releases ADD COLUMN container TEXT;
""",
)


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """Is a project: `active` is the release that serves, None before one has; `folder` is where it
    was deployed from.
    """

    name: str
    port: int
    state_key: str
    folder: str
    created_at: float
    active: int | None


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """Is a release.

    `error` says why it never served, None if it has. `secrets` are the versions it is pinned to, `reason` is what made
    it: `deploy`, or `secret NAME`. `container` describes the one that it runs in, None for a process of this machine.
    """

    project: str
    number: int
    bundle: str
    created_at: float
    error: str | None
    secrets: Mapping[str, int] = field(default_factory=dict)
    reason: str = "deploy"
    origin: Origin = UNKNOWN
    container: Container | None = None


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Makes all of the block's changes, or none."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


class Store:
    """Is one connection, used from the control plane's event loop only."""

    def __init__(self, path: Path) -> None:
        self._db = open_database(path)
        self._db.execute("PRAGMA foreign_keys = ON")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            self._db.close()
            raise PlatformError(
                f"a newer homeport has used {path.parent}: this one, {__version__}, cannot read what it keeps",
                hint="`pip install --upgrade homeport`, or `uv tool upgrade homeport`, as it was installed; nothing was"
                " changed",
            )
        for number, script in enumerate(MIGRATIONS[version:], version + 1):
            with transaction(self._db):
                for statement in script.split(";"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {number}")

    @property
    def db(self) -> sqlite3.Connection:
        """Returns the connection, for concerns with tables of their own in the store."""
        return self._db

    def close(self) -> None:
        self._db.close()

    def projects(self) -> list[ProjectRow]:
        rows = self._db.execute(
            "SELECT name, port, state_key, folder, created_at, active FROM projects ORDER BY name"
        ).fetchall()
        return [ProjectRow(*row) for row in rows]

    def find_project(self, name: str) -> ProjectRow | None:
        return next((row for row in self.projects() if row.name == name), None)

    def project(self, name: str) -> ProjectRow:
        """Returns the project of that name.

        Raises NotFoundError if there is none.
        """
        row = self.find_project(name)
        if row is None:
            raise NotFoundError(f"there is no project {name!r}", hint="`homeport list` shows the projects")
        return row

    def create_project(self, name: str, port: int, state_key: str, folder: str) -> ProjectRow:
        row = ProjectRow(name, port, state_key, folder, time.time(), None)
        self._db.execute(
            "INSERT INTO projects (name, port, state_key, folder, created_at) VALUES (?, ?, ?, ?, ?)",
            (row.name, row.port, row.state_key, row.folder, row.created_at),
        )
        return row

    def delete_project(self, name: str) -> None:
        self._db.execute("DELETE FROM projects WHERE name = ?", (name,))

    def releases(self, project: str) -> list[ReleaseRow]:
        """Returns the releases of a project, newest first."""
        rows = self._db.execute(
            "SELECT project, number, bundle, created_at, error, secrets, reason, origin, container FROM releases "
            "WHERE project = ? ORDER BY number DESC",
            (project,),
        ).fetchall()
        return [_release(*row) for row in rows]

    def release(self, project: str, number: int) -> ReleaseRow:
        """Returns the release of that number.

        Raises NotFoundError if there is none.
        """
        for row in self.releases(project):
            if row.number == number:
                return row
        raise NotFoundError(
            f"{project} has no release v{number}", hint=f"`homeport versions {project}` shows its releases"
        )

    def active_release(self, project: str) -> ReleaseRow | None:
        """Returns the release that serves, None before one has."""
        row = self.find_project(project)
        return self.release(project, row.active) if row and row.active is not None else None

    def next_number(self, project: str) -> int:
        newest = self._db.execute("SELECT max(number) FROM releases WHERE project = ?", (project,)).fetchone()[0]
        return (newest or 0) + 1

    def add_release(self, release: ReleaseRow) -> None:
        """Adds a release that serves from now on, or one with an error that never will."""
        with transaction(self._db):
            self._db.execute(
                "INSERT INTO releases (project, number, bundle, created_at, error, secrets, reason, origin, container) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    release.project,
                    release.number,
                    release.bundle,
                    release.created_at,
                    release.error,
                    json.dumps(release.secrets),
                    release.reason,
                    json.dumps(asdict(release.origin)),
                    json.dumps(asdict(release.container)) if release.container else None,
                ),
            )
            if release.error is None:
                self.set_active(release.project, release.number)

    def delete_releases(self, project: str, numbers: Iterable[int]) -> None:
        with transaction(self._db):
            self._db.executemany(
                "DELETE FROM releases WHERE project = ? AND number = ?", [(project, number) for number in numbers]
            )

    def set_active(self, project: str, number: int) -> None:
        self._db.execute("UPDATE projects SET active = ? WHERE name = ?", (number, project))

    def set_folder(self, project: str, folder: str) -> None:
        self._db.execute("UPDATE projects SET folder = ? WHERE name = ?", (folder, project))


def _release(
    project: str,
    number: int,
    bundle: str,
    created_at: float,
    error: str | None,
    secrets: str,
    reason: str,
    origin: str,
    container: str | None,
) -> ReleaseRow:
    return ReleaseRow(
        project,
        number,
        bundle,
        created_at,
        error,
        json.loads(secrets),
        reason,
        Origin(**json.loads(origin)),
        Container(**json.loads(container)) if container else None,
    )
