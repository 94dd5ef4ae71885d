"""Opens what the platform at home stores: its database, in which each concern has tables, and the secrets beside it."""

from __future__ import annotations

from dataclasses import dataclass

from homeport_runtime.guard.access import Access, ClientToken

from ..alerts.store import AlertStore
from ..api.platform import ListedToken
from ..audit.heads import Heads
from ..audit_exports.store import ExportStore
from ..bearer import hash_of
from ..console.sessions import Sessions, name_of
from ..home import Home
from ..secrets.sqlite import SQLiteSecretStore
from ..signin.model import OWNER
from ..telemetry.recorder import Recorder
from .access_modes import AccessModes
from .client_tokens import ClientTokens
from .console_tokens import ConsoleTokens
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
    console_sessions: Sessions
    access: AccessModes
    client_tokens: ClientTokens
    console_tokens: ConsoleTokens
    links: SQLiteLinks
    deployments: SQLiteDeployments
    audit_heads: Heads
    audit_exports: ExportStore
    users: Users
    telemetry: Recorder
    alerts: AlertStore

    def outdated(self, release: ReleaseRow) -> list[str]:
        """Returns the secrets that have another version now than `release` is pinned to."""
        current = self.secrets.current(release.project)
        return [name for name, version in release.secrets.items() if current.get(name) != version]

    def list_tokens(self) -> list[ListedToken]:
        """Returns the platform tokens, and the keys of browsers with the console."""
        return [*self.tokens.list_tokens(), *self.console_sessions.listed()]

    def revoke_token(self, name: str) -> None:
        """Ends a platform token, or the key of a browser with the console.

        Raises NotFoundError if there is none of that name.
        """
        if not self.console_sessions.revoke(name):
            self.tokens.revoke(name)

    def asker(self, token: str | None) -> str:
        """Returns the name of whoever asks with a token of the platform, and without one of whoever owns it."""
        if token is None:
            return OWNER
        if self.console_sessions.is_valid(token):
            return name_of(hash_of(token))
        return self.tokens.name_of(token) or OWNER

    def callers(self, project: str) -> Access | None:
        """Returns who may call a project, None for everyone: whoever has its own token, one of its client tokens, or
        one of the console's.
        """
        own = self.access.mode(project).token_hash
        if own is None:
            return None
        return Access((ClientToken(own), *self.client_tokens.of(project), *self.console_tokens.of(project)))

    def close(self) -> None:
        self.store.close()
        self.secrets.close()
        self.telemetry.close()


def open_stores(home: Home) -> Stores:
    store, secrets = Store(home.store), SQLiteSecretStore(home)
    db = store.db
    settings = Settings(db)
    return Stores(
        home=home,
        store=store,
        secrets=secrets,
        settings=settings,
        tokens=Tokens(db),
        console_sessions=Sessions(db),
        access=AccessModes(db),
        client_tokens=ClientTokens(db),
        console_tokens=ConsoleTokens(),
        links=SQLiteLinks(db, StoreVault(secrets)),
        deployments=SQLiteDeployments(db),
        audit_heads=Heads(db),
        audit_exports=ExportStore(db, secrets),
        users=Users(db, settings, home.root),
        telemetry=Recorder(home.telemetry),
        alerts=AlertStore(db, secrets),
    )
