"""Stores links of this machine as rows of the store, and their secrets in the store of secrets."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping

from ..github.repository import GitHub, Repository
from ..pushes.links import Link, LinkedRepository, Links, Vault
from ..secrets.base import SecretStore


class SQLiteLinks(Links):
    def __init__(self, db: sqlite3.Connection, vault: Vault) -> None:
        super().__init__(vault)
        self._db = db

    def repositories(self) -> list[LinkedRepository]:
        rows = self._db.execute(
            "SELECT id, github_id, server_url, api_url, name, hook_id, error FROM repositories ORDER BY name"
        ).fetchall()
        return [
            LinkedRepository(row_id, github_id, Repository(GitHub(server, api), name), hook_id, error)
            for row_id, github_id, server, api, name, hook_id, error in rows
        ]

    def linked(self, known: Mapping[int, LinkedRepository]) -> list[Link]:
        rows = self._db.execute(
            "SELECT project, repository, branch, folder, previews FROM links ORDER BY project"
        ).fetchall()
        return [
            Link(project, known[owner], branch, folder, bool(previews))
            for project, owner, branch, folder, previews in rows
            if owner in known
        ]

    def insert_repository(self, github_id: int, repository: Repository) -> LinkedRepository:
        row = (github_id, repository.github.server_url, repository.github.api_url, repository.name)
        inserted = self._db.execute(
            "INSERT INTO repositories (github_id, server_url, api_url, name) VALUES (?, ?, ?, ?)", row
        )
        return LinkedRepository(int(inserted.lastrowid or 0), github_id, repository, None, None)

    def update_repository(self, repository: LinkedRepository, **fields: str | int | None) -> None:
        columns = ", ".join(f"{name} = ?" for name in fields)
        values = (*fields.values(), repository.id)
        self._db.execute(f"UPDATE repositories SET {columns} WHERE id = ?", values)  # noqa: S608

    def delete_repository(self, repository: LinkedRepository) -> None:
        self._db.execute("DELETE FROM repositories WHERE id = ?", (repository.id,))

    def add(self, link: Link) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO links (project, repository, branch, folder, previews, created_at) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (link.project, link.repository.id, link.branch, link.folder, link.previews, time.time()),
        )

    def remove(self, project: str) -> None:
        self._db.execute("DELETE FROM links WHERE project = ?", (project,))


class StoreVault:
    """Stores the secrets under a name that no project can have."""

    def __init__(self, store: SecretStore) -> None:
        self._store = store

    def put(self, repository: int, values: Mapping[str, str]) -> None:
        self._store.set(f"github:{repository}", values)

    def get(self, repository: int) -> Mapping[str, str]:
        name = f"github:{repository}"
        return self._store.values(name, self._store.current(name))

    def forget(self, repository: int) -> None:
        self._store.forget(f"github:{repository}")
