"""Opens what the platform at home stores: its database, in which each concern has tables, and the secrets beside it."""

from __future__ import annotations

from dataclasses import dataclass

from ..home import Home
from ..secrets.sqlite import SQLiteSecretStore
from .access import Access
from .settings import Settings
from .sqlite_deployments import SQLiteDeployments
from .sqlite_links import SQLiteLinks, StoreVault
from .store import ReleaseRow, Store
from .tokens import Tokens
from .users import Users


@dataclass(frozen=True, slots=True)
class Stores:
    home: Home
    store: Store
    secrets: SQLiteSecretStore
    settings: Settings
    tokens: Tokens
    access: Access
    links: SQLiteLinks
    deployments: SQLiteDeployments
    users: Users

    def outdated(self, release: ReleaseRow) -> list[str]:
        """Returns the secrets that have another version now than `release` is pinned to."""
        current = self.secrets.current(release.project)
        return [name for name, version in release.secrets.items() if current.get(name) != version]

    def close(self) -> None:
        self.store.close()
        self.secrets.close()


def open_stores(home: Home) -> Stores:
    store, secrets = Store(home.store), SQLiteSecretStore(home)
    db = store.db
    links, deployments = SQLiteLinks(db, StoreVault(secrets)), SQLiteDeployments(db)
    settings = Settings(db)
    users = Users(db, settings, home.root)
    return Stores(home, store, secrets, settings, Tokens(db), Access(db), links, deployments, users)
