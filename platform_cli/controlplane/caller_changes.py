"""Changes who may call a project, which its running workers know at once."""

from __future__ import annotations

from ..api.status import StatusWithToken
from ..errors import InputError
from ..supervisor.release import RunnableRelease
from .edge import Edge
from .locks import ProjectLocks
from .overview import Overview
from .protected_projects import ProtectedProjects
from .runnable_releases import RunnableReleases
from .running_releases import RunningReleases
from .stores import Stores


class CallerChanges:
    def __init__(
        self,
        stores: Stores,
        edge: Edge,
        locks: ProjectLocks,
        runnable: RunnableReleases,
        running: RunningReleases,
        overview: Overview,
        sign_in: ProtectedProjects,
    ) -> None:
        self._stores = stores
        self._edge = edge
        self._locks = locks
        self._runnable = runnable
        self._running = running
        self._overview = overview
        self._sign_in = sign_in

    def mode(self, release: RunnableRelease) -> str | None:
        """Returns `[auth] mode` as configured, else `oauth` if strangers would reach a server that does not
        authenticate them itself, and `token` if callers have scopes.
        """
        is_open = self._stores.access.mode(release.project).token_hash is None
        if release.auth is not None or not is_open:
            return release.auth
        if self._edge.domain is not None and not release.guarded:
            return "oauth"
        return "token" if release.manifest.get("scopes") else None

    async def renew_token(self, project: str) -> StatusWithToken:
        """Returns the project's status with its new token.

        Raises InputError if everyone may call.
        """
        async with self._locks.of(project):
            self._stores.store.project(project)
            if self._stores.access.mode(project).token_hash is None:
                raise InputError(
                    f"everyone may call {project}: it has no token",
                    hint='write mode = "token" under [auth] in its fastmcp.toml, and deploy it',
                )
            token = self._stores.access.renew(project)
            await self._running.admit(project)
            return {**self._overview.status(project), "token": token}

    async def end_sign_ins(self, project: str, user: str) -> int:
        """Ends the sign-ins of a user at once, and returns how many there were.

        Access tokens are not asked about again, so the project gets another key: what others have is refreshed with it.
        Raises NotFoundError if the user has not signed in.
        """
        async with self._locks.of(project):
            self._stores.store.project(project)
            server = self._sign_in.server
            server.check_signed_in(project, user)
            # First, so that after a kill the same command does the rest.
            server.keys.replace(project)
            ended = server.grants.end_of(project, user)
            await self._running.admit(project)
            return ended

    async def close_to_strangers(self, project: str) -> str | None:
        """Returns the token that callers need from now on, if one was made.

        On a public platform a project is open to everyone only if its configuration says so.
        """
        async with self._locks.of(project):
            active = self._stores.store.active_release(project)
            token = self._stores.access.settle(project, self.mode(self._runnable.of(active))) if active else None
            if token:
                await self._running.refresh(project)
            return token
