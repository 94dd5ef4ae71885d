"""Opens what the platform at home stores: its database, in which each concern has tables, and the secrets beside it."""

from __future__ import annotations

from dataclasses import dataclass

from homeport_runtime.guard.access import Access, ClientToken

from ..alerts.store import AlertStore
from ..audit.heads import Heads
from ..home import Home
from ..secrets.sqlite import SQLiteSecretStore
from ..telemetry.recorder import Recorder
from .access_modes import AccessModes
from .client_tokens import ClientTokens
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
    access: AccessModes
    client_tokens: ClientTokens
    links: SQLiteLinks
    deployments: SQLiteDeployments
    audit_heads: Heads
    users: Users
    telemetry: Recorder
    alerts: AlertStore

    def outdated(self, release: ReleaseRow) -> list[str]:
        """Returns the secrets that have another version now than `release` is pinned to."""
        current = self.secrets.current(release.project)
        return [name for name, version in release.secrets.items() if current.get(name) != version]

    def callers(self, project: str) -> Access | None:
        """Returns who may call a project, None for everyone: whoever has its own token, or one of its client tokens."""
        own = self.access.mode(project).token_hash
        return Access((ClientToken(own), *self.client_tokens.of(project))) if own is not None else None

    def close(self) -> None:
        self.store.close()
        self.secrets.close()
        self.telemetry.close()


def open_stores(home: Home) -> Stores:
    store, secrets = Store(home.store), SQLiteSecretStore(home)
    db = store.db
    links, deployments = SQLiteLinks(db, StoreVault(secrets)), SQLiteDeployments(db)
    access, clients = AccessModes(db), ClientTokens(db)
    settings = Settings(db)
    users = Users(db, settings, home.root)
    heads = Heads(db)
    tokens, telemetry = Tokens(db), Recorder(home.telemetry)
    alerts = AlertStore(db, secrets)
    return Stores(
        home, store, secrets, settings, tokens, access, clients, links, deployments, heads, users, telemetry, alerts
    )
