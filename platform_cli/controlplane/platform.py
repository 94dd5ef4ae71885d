"""The platform's operations: every change to what is deployed, checked first, carried out, then recorded."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

from ..errors import HomeportError, InputError, NotFoundError
from ..home import Home
from ..supervisor.release import RunnableRelease, read_release
from ..supervisor.sockets import HOST
from ..supervisor.supervisor import Supervisor
from .domain import Domain
from .edge import Edge, Published
from .settings import Settings
from .store import ProjectRow, ReleaseRow, Store
from .tokens import Tokens


class Platform:
    """One per home. Operations on one project wait for each other."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._store = Store(home.store)
        self._supervisor = Supervisor(home)
        self.settings = Settings(self._store.db)
        self.tokens = Tokens(self._store.db)
        self.edge = Edge(home, self.settings)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def start(self) -> None:
        """Every project answers on its port again; workers start when somebody connects."""
        for row in self._store.projects():
            service = self._supervisor.add_existing(row.name, row.state_key, row.port)
            service.resume(self._runnable(self._store.release(row.name, row.active)) if row.active else None)

    @property
    def home(self) -> Home:
        return self._home

    async def close(self) -> None:
        await self._supervisor.close()
        self._store.close()

    def _runnable(self, release: ReleaseRow) -> RunnableRelease:
        return self._read(release.project, release.number, release.bundle)

    def _read(self, project: str, number: int, bundle: str) -> RunnableRelease:
        return read_release(self._home, project, number, self._home.bundles / bundle, self.edge.names(project))

    def _published(self) -> list[Published]:
        """What the edge has to know of each project that serves; the oldest first."""
        rows = sorted(self._store.projects(), key=lambda row: row.created_at)
        services = self._supervisor.services
        return [
            Published(row.name, row.port, self._own_names(row.name, release))
            for row in rows
            if (release := services[row.name].release) is not None
        ]

    def _own_names(self, project: str, release: RunnableRelease) -> tuple[str, ...]:
        given = self.edge.names(project)
        return tuple(name for name in release.domains if name not in given)

    def describe_edge(self) -> dict[str, Any]:
        """`api_url` is where the control plane answers over TCP on this machine."""
        port = self.settings.get("api_port")
        return {
            "api_url": f"http://{HOST}:{port}" if port else None,
            "domain": str(self.edge.domain) if self.edge.domain else None,
            "caddyfile": str(self.edge.config) if self.edge.domain else None,
            "edge_error": self.edge.error,
        }

    async def publish(self) -> None:
        await self.edge.publish(self._published())

    async def open_edge(self) -> None:
        """Caddy serves the public names from now on. Raises PlatformError if it does not."""
        await self.edge.open(self._published())

    async def set_domain(self, domain: Domain | None) -> None:
        """Gives every project a public name, or takes it away: its workers have to know the names they answer to."""
        if domain == self.edge.domain:
            return
        self.edge.set_domain(domain)
        for row in self._store.projects():
            async with self._locks[row.name]:
                service = self._supervisor.services.get(row.name)
                if service is None or service.release is None:
                    continue
                release = self._runnable(self._store.release(row.name, service.release.number))
                if service.workers:
                    # One that does not come up says so in its status; the others have their names.
                    with contextlib.suppress(HomeportError):
                        await self._supervisor.activate(row.name, release)
                else:
                    service.release = release

    def list_projects(self) -> list[dict[str, Any]]:
        return [self._describe(row) for row in self._store.projects()]

    def status(self, project: str) -> dict[str, Any]:
        return self._describe(self._store.project(project))

    def _describe(self, row: ProjectRow) -> dict[str, Any]:
        service = self._supervisor.services[row.name]
        release = self._store.release(row.name, row.active) if row.active is not None else None
        return {
            "project": row.name,
            "release": f"v{row.active}" if row.active is not None else None,
            "bundle": release.bundle if release else None,
            "state": service.state,
            "target": "local",
            **self.edge.urls(row.name, row.port),
            "workers": service.workers,
            "last_error": service.last_error or self.edge.error,
            "folder": row.folder,
            "deployed_at": release.created_at if release else None,
        }

    def versions(self, project: str) -> list[dict[str, Any]]:
        active = self._store.project(project).active
        return [
            {
                "release": f"v{row.number}",
                "state": "failed" if row.error else "active" if row.number == active else "inactive",
                "created_at": row.created_at,
                "bundle": row.bundle,
                "error": row.error,
            }
            for row in self._store.releases(project)
        ]

    async def inspect(self, draft: str) -> dict[str, Any]:
        """What the server in a bundle's draft says of itself; `draft` is the name of its folder."""
        return await self._supervisor.inspect(read_release(self._home, "inspection", 0, self._home.bundles / draft))

    async def deploy(self, project: str, bundle: str, folder: str) -> dict[str, Any]:
        """A new release of `project`, created if it is not there. What already serves is left alone."""
        async with self._locks[project]:
            row = self._store.find_project(project)
            created = row is None
            row = row or self._create(project, folder)
            if row.active is not None and self._store.release(project, row.active).bundle == bundle:
                self._supervisor.services[project].open_if_down()
                return {**self._describe(row), "changed": False}
            number = self._store.next_number(project)
            try:
                release = self._read(project, number, bundle)
                self.edge.check_free(project, self._own_names(project, release), self._published())
                await self._supervisor.activate(project, release)
            except BaseException as error:
                if created:
                    await self._remove(project)
                elif isinstance(error, HomeportError):
                    self._store.add_failed_release(project, number, bundle, error.message)
                raise
            self._store.add_release(project, number, bundle)
            self._store.set_folder(project, folder)
            await self.edge.publish(self._published())
            return {**self.status(project), "changed": True}

    def _create(self, project: str, folder: str) -> ProjectRow:
        state_key = secrets.token_hex(32)
        service = self._supervisor.add_new(project, state_key, {row.port for row in self._store.projects()})
        return self._store.create_project(project, service.port, state_key, folder)

    async def rollback(self, project: str, number: int | None) -> dict[str, Any]:
        """Activates an older release, by default the newest one before the active one that has served."""
        async with self._locks[project]:
            row = self._store.project(project)
            target = self._store.release(project, number) if number is not None else self._previous(row)
            if target.error is not None:
                raise InputError(
                    f"v{target.number} of {project} never served: {target.error}",
                    hint=f"`homeport versions {project}` shows the releases that did",
                )
            if target.number == row.active:
                return {**self._describe(row), "changed": False}
            await self._supervisor.activate(project, self._runnable(target))
            self._store.set_active(project, target.number)
            await self.edge.publish(self._published())
            return {**self.status(project), "changed": True}

    def _previous(self, row: ProjectRow) -> ReleaseRow:
        for release in self._store.releases(row.name):
            if release.error is None and row.active is not None and release.number < row.active:
                return release
        raise NotFoundError(
            f"{row.name} has no release before v{row.active}", hint=f"`homeport versions {row.name}` shows its releases"
        )

    async def destroy(self, project: str) -> None:
        """Ends the project: its workers, its releases, what its server wrote, its logs."""
        async with self._locks[project]:
            self._store.project(project)
            await self._remove(project)
            await self.edge.publish(self._published())

    async def _remove(self, project: str) -> None:
        await self._supervisor.remove(project)
        self._store.delete_project(project)
        await asyncio.to_thread(shutil.rmtree, self._home.project(project), ignore_errors=True)

    def logs(self, project: str, *, follow: bool) -> AsyncIterator[dict[str, Any]]:
        self._store.project(project)
        return self._supervisor.services[project].log.read(follow=follow)
