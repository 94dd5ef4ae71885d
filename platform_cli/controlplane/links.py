"""Which repositories deploy which projects. Their tokens and webhook secrets are encrypted as all secrets are."""

from __future__ import annotations

import secrets
import sqlite3
import time
from dataclasses import dataclass

from ..errors import InputError, NotFoundError
from ..github.repository import GitHub, Repository
from ..secrets.base import SecretStore

# Random bytes in a webhook's secret.
SECRET_BYTES = 32
TOKEN, WEBHOOK_SECRET = "TOKEN", "WEBHOOK_SECRET"


@dataclass(frozen=True, slots=True)
class LinkedRepository:
    """`github_id` stays when the repository is renamed. `hook_id` None says that it is polled. `error` is what keeps us
    from working with it.
    """

    id: int
    github_id: int
    repository: Repository
    hook_id: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Link:
    """Commits to `branch` that touch `folder` (`""` for all) are releases of `project`."""

    project: str
    repository: LinkedRepository
    branch: str
    folder: str
    previews: bool

    @property
    def source(self) -> str:
        """Where releases come from, as a project's folder is shown."""
        return f"{self.repository.repository.url}/tree/{self.branch}" + (f"/{self.folder}" if self.folder else "")


class Links:
    def __init__(self, db: sqlite3.Connection, store: SecretStore) -> None:
        self._db = db
        self._secrets = store

    def repositories(self) -> list[LinkedRepository]:
        rows = self._db.execute(
            "SELECT id, github_id, server_url, api_url, name, hook_id, error FROM repositories ORDER BY name"
        ).fetchall()
        return [
            LinkedRepository(row_id, github_id, Repository(GitHub(server, api), name), hook_id, error)
            for row_id, github_id, server, api, name, hook_id, error in rows
        ]

    def repository(self, github: GitHub, github_id: int) -> LinkedRepository | None:
        known = (r for r in self.repositories() if r.github_id == github_id)
        return next((r for r in known if r.repository.github.server_url == github.server_url), None)

    def with_hook(self, hook_id: int) -> list[LinkedRepository]:
        """More than one where two GitHubs have given out the same number."""
        return [repository for repository in self.repositories() if repository.hook_id == hook_id]

    def all(self) -> list[Link]:
        known = {repository.id: repository for repository in self.repositories()}
        rows = self._db.execute(
            "SELECT project, repository, branch, folder, previews FROM links ORDER BY project"
        ).fetchall()
        return [Link(project, known[owner], branch, folder, bool(p)) for project, owner, branch, folder, p in rows]

    def of(self, repository: LinkedRepository) -> list[Link]:
        return [link for link in self.all() if link.repository.id == repository.id]

    def find(self, project: str) -> Link | None:
        return next((link for link in self.all() if link.project == project), None)

    def get(self, project: str) -> Link:
        """Raises NotFoundError."""
        link = self.find(project)
        if link is None:
            raise NotFoundError(f"no repository deploys {project!r}", hint="`homeport repos` shows those that do")
        return link

    def add_repository(self, repository: Repository, github_id: int, token: str) -> LinkedRepository:
        """One that is there gets the token, and its error is over."""
        known = self.repository(repository.github, github_id)
        if known is None:
            row = (github_id, repository.github.server_url, repository.github.api_url, repository.name)
            inserted = self._db.execute(
                "INSERT INTO repositories (github_id, server_url, api_url, name) VALUES (?, ?, ?, ?)", row
            )
            known = LinkedRepository(int(inserted.lastrowid or 0), github_id, repository, None, None)
            self._secrets.set(_vault(known), {WEBHOOK_SECRET: secrets.token_hex(SECRET_BYTES)})
        self._secrets.set(_vault(known), {TOKEN: token})
        self.set_error(known, None)
        self.rename(known, repository.name)
        return known

    def remove_repository(self, repository: LinkedRepository) -> None:
        self._db.execute("DELETE FROM repositories WHERE id = ?", (repository.id,))
        self._secrets.forget(_vault(repository))

    def set_hook(self, repository: LinkedRepository, hook_id: int | None) -> None:
        self._db.execute("UPDATE repositories SET hook_id = ? WHERE id = ?", (hook_id, repository.id))

    def set_error(self, repository: LinkedRepository, error: str | None) -> None:
        self._db.execute("UPDATE repositories SET error = ? WHERE id = ?", (error, repository.id))

    def rename(self, repository: LinkedRepository, name: str) -> None:
        self._db.execute("UPDATE repositories SET name = ? WHERE id = ?", (name, repository.id))

    def token(self, repository: LinkedRepository) -> str:
        return self._secret(repository, TOKEN)

    def webhook_secret(self, repository: LinkedRepository) -> str:
        return self._secret(repository, WEBHOOK_SECRET)

    def _secret(self, repository: LinkedRepository, name: str) -> str:
        vault = _vault(repository)
        return self._secrets.values(vault, {name: self._secrets.current(vault)[name]})[name]

    def check_free(self, project: str, repository: LinkedRepository, branch: str, folder: str) -> None:
        """Raises InputError where another link has the project's name, or the same place."""
        for link in self.all():
            same_place = (link.repository.id, link.branch, link.folder) == (repository.id, branch, folder)
            if same_place != (link.project == project):
                raise InputError(
                    f"{link.source} deploys {link.project} already", hint=f"first: homeport unlink-repo {link.project}"
                )

    def add(self, project: str, repository: LinkedRepository, branch: str, folder: str, *, previews: bool) -> Link:
        self._db.execute(
            "INSERT OR REPLACE INTO links (project, repository, branch, folder, previews, created_at) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (project, repository.id, branch, folder, previews, time.time()),
        )
        return self.get(project)

    def remove(self, project: str) -> None:
        self._db.execute("DELETE FROM links WHERE project = ?", (project,))


def _vault(repository: LinkedRepository) -> str:
    """The name its secrets are under, which no project can have."""
    return f"github:{repository.id}"
