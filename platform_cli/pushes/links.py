"""Stores which repositories deploy which projects; tokens and webhook secrets are kept as all secrets are."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ..errors import HomeportError, InputError, NotFoundError, RevokedTokenError
from ..github.repository import GitHub, Repository

# The number of random bytes in a webhook's secret.
SECRET_BYTES = 32
TOKEN, WEBHOOK_SECRET = "TOKEN", "WEBHOOK_SECRET"


@dataclass(frozen=True, slots=True)
class LinkedRepository:
    """Is a repository of GitHub's, whatever its present name.

    `on_github` is its name now, and `github_id` stays when it is renamed. `hook_id` is None if it is polled. `error` is
    what keeps the platform from working with it, None if nothing does.
    """

    id: int
    github_id: int
    on_github: Repository
    hook_id: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Link:
    """Connects a branch to a project: commits to `branch` that touch `folder` (`""` for all) become its releases."""

    project: str
    repository: LinkedRepository
    branch: str
    folder: str
    previews: bool

    @property
    def source(self) -> str:
        """Returns where releases come from, in the place of a project's folder."""
        return f"{self.repository.on_github.url}/tree/{self.branch}" + (f"/{self.folder}" if self.folder else "")


class Vault(Protocol):
    """Keeps the secrets of linked repositories."""

    def put(self, repository: int, values: Mapping[str, str]) -> None:
        """Sets the named values; the others stay."""

    def get(self, repository: int) -> Mapping[str, str]:
        """Returns the values, empty if there are none."""

    def forget(self, repository: int) -> None: ...


class Links(ABC):
    """Implements the links over a store, whose own methods are the abstract ones."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def repository(self, github: GitHub, github_id: int) -> LinkedRepository | None:
        known = (r for r in self.repositories() if r.github_id == github_id)
        return next((r for r in known if r.on_github.github.server_url == github.server_url), None)

    def with_hook(self, hook_id: int) -> list[LinkedRepository]:
        """Returns the repositories with this webhook id; there are several if two GitHubs have given out the same."""
        return [repository for repository in self.repositories() if repository.hook_id == hook_id]

    def all(self) -> list[Link]:
        """Returns all links, sorted by project."""
        return self.linked({repository.id: repository for repository in self.repositories()})

    def of(self, repository: LinkedRepository) -> list[Link]:
        return self.linked({repository.id: repository})

    def find(self, project: str) -> Link | None:
        return next((link for link in self.all() if link.project == project), None)

    def get(self, project: str) -> Link:
        """Returns the project's link.

        Raises NotFoundError if it has none.
        """
        link = self.find(project)
        if link is None:
            raise NotFoundError(f"no repository deploys {project!r}", hint="`homeport repos` shows those that do")
        return link

    def add_repository(self, repository: Repository, github_id: int, token: str) -> LinkedRepository:
        """Returns the repository, which is stored if it is new; it has the token from now on, and no error."""
        known = self.repository(repository.github, github_id)
        if known is None:
            known = self.insert_repository(github_id, repository)
        if WEBHOOK_SECRET not in self._vault.get(known.id):
            self._vault.put(known.id, {WEBHOOK_SECRET: secrets.token_hex(SECRET_BYTES)})
        self._vault.put(known.id, {TOKEN: token})
        self.update_repository(known, error=None, name=repository.name)
        return known

    def remove_repository(self, repository: LinkedRepository) -> None:
        self.delete_repository(repository)
        self._vault.forget(repository.id)

    def set_hook(self, repository: LinkedRepository, hook_id: int | None) -> None:
        self.update_repository(repository, hook_id=hook_id)

    def set_error(self, repository: LinkedRepository, error: HomeportError | None) -> None:
        """Stores what keeps the platform from working with the repository, and what to do; None clears it."""
        text = "; ".join(filter(None, (error.message, error.hint))) if error else None
        self.update_repository(repository, error=text)

    def rename(self, repository: LinkedRepository, name: str) -> None:
        self.update_repository(repository, name=name)

    def token(self, repository: LinkedRepository) -> str:
        """Returns the token.

        Raises RevokedTokenError if somebody has deleted it.
        """
        token = self._vault.get(repository.id).get(TOKEN)
        if token is None:
            raise RevokedTokenError(f"the token for {repository.on_github.name} is gone", hint="link it again")
        return token

    def webhook_secret(self, repository: LinkedRepository) -> str:
        return self._vault.get(repository.id)[WEBHOOK_SECRET]

    def check_free(self, project: str, repository: LinkedRepository, branch: str, folder: str) -> None:
        """Raises InputError if another link has the project's name, or the same branch and folder."""
        for link in self.all():
            same_place = (link.repository.id, link.branch, link.folder) == (repository.id, branch, folder)
            if same_place != (link.project == project):
                raise InputError(
                    f"{link.source} deploys {link.project} already", hint=f"first: homeport unlink-repo {link.project}"
                )

    @abstractmethod
    def repositories(self) -> list[LinkedRepository]:
        """Returns all repositories, sorted by name."""

    @abstractmethod
    def linked(self, known: Mapping[int, LinkedRepository]) -> list[Link]:
        """Returns the links of these repositories, sorted by project."""

    @abstractmethod
    def add(self, link: Link) -> None: ...

    @abstractmethod
    def remove(self, project: str) -> None: ...

    @abstractmethod
    def insert_repository(self, github_id: int, repository: Repository) -> LinkedRepository: ...

    @abstractmethod
    def update_repository(self, repository: LinkedRepository, **fields: str | int | None) -> None:
        """Changes `fields`, of name, hook_id and error."""

    @abstractmethod
    def delete_repository(self, repository: LinkedRepository) -> None: ...
