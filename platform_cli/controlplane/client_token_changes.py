"""Makes and revokes client tokens, which running servers know at once."""

from __future__ import annotations

from ..api.client_token import ListedClientToken, NewClientToken, WantedClientToken
from ..config.client_tokens import check_scope, check_wanted
from ..errors import InputError
from ..pipeline.manifest import read_manifest
from .client_tokens import id_of
from .locks import ProjectLocks
from .running_releases import RunningReleases
from .stores import Stores


class ClientTokenChanges:
    def __init__(self, stores: Stores, locks: ProjectLocks, running: RunningReleases) -> None:
        self._stores = stores
        self._locks = locks
        self._running = running

    def listed(self, project: str) -> list[ListedClientToken]:
        self._stores.store.project(project)
        return self._stores.client_tokens.list_tokens(project)

    async def create(self, project: str, wanted: WantedClientToken) -> NewClientToken:
        """Returns a new client token.

        Raises InputError for what cannot be granted, and for a project that everyone may call.
        """
        async with self._locks.of(project):
            self._stores.store.project(project)
            check_wanted(wanted)
            if self._stores.callers(project) is None:
                raise InputError(
                    f"everyone may call {project}: a token would say nothing",
                    hint='write mode = "token" under [auth] in its fastmcp.toml, and deploy it',
                )
            for scope in wanted["scopes"] or ():
                self._check_scope(project, scope)
            token = self._stores.client_tokens.create(project, wanted)
            await self._running.admit(project)
            made = next(each for each in self.listed(project) if each["id"] == id_of(token))
            return {**made, "token": token}

    async def revoke(self, project: str, token_id: str) -> None:
        """Ends a token.

        Raises NotFoundError if the project has none of that id.
        """
        async with self._locks.of(project):
            self._stores.store.project(project)
            self._stores.client_tokens.revoke(project, token_id)
            await self._running.admit(project)

    def _check_scope(self, project: str, scope: str) -> None:
        """Raises InputError for a scope that no rule of the active release asks for: it would allow nothing."""
        active = self._stores.store.active_release(project)
        manifest = read_manifest(self._stores.home.bundles / active.bundle) if active else None
        check_scope(project, scope, manifest.get("scopes") if manifest else None)
