"""Tells the edge which projects are to be reached from outside."""

from __future__ import annotations

import asyncio

from ..api.platform import PublicSide
from ..supervisor.release import RunnableRelease
from ..supervisor.sockets import HOST
from ..supervisor.supervisor import Supervisor
from .edge import Edge, Published
from .stores import Stores

# The seconds between checks of what Caddy serves.
COMPARE_EVERY_S = 30.0


class Publishing:
    def __init__(self, stores: Stores, supervisor: Supervisor, edge: Edge) -> None:
        self._stores = stores
        self._supervisor = supervisor
        self._edge = edge

    def check_free(self, project: str, release: RunnableRelease) -> None:
        """Raises InputError if a name that `release` wants belongs to another project."""
        self._edge.check_free(project, self._own_names(project, release), self._published())

    async def publish(self) -> None:
        await self._edge.publish(self._published())

    async def watch(self) -> None:
        """Checks at intervals whether Caddy still serves what it was told, and never returns."""
        while True:
            await asyncio.sleep(COMPARE_EVERY_S)
            await self._edge.compare(self._published())

    async def open(self) -> None:
        """Lets Caddy serve the public names from now on.

        Raises PlatformError if it does not.
        """
        await self._edge.open(self._published())

    def describe(self) -> PublicSide:
        port, domain = self._stores.settings.get("api_port"), self._edge.domain
        return {
            "api_url": f"http://{HOST}:{port}" if port else None,
            "domain": str(domain) if domain else None,
            "caddyfile": str(self._edge.config) if domain else None,
            "edge_error": self._edge.error,
        }

    def reachable_url(self) -> str:
        """Returns the platform's own URL, the one of this machine while its public name does not work."""
        if self._edge.domain is not None and self._edge.error is None:
            return self._edge.domain.url
        return f"http://{HOST}:{self._stores.settings.get('api_port')}"

    def _published(self) -> list[Published]:
        """Returns what the edge has to know of each project that serves, the oldest first."""
        rows = sorted(self._stores.store.projects(), key=lambda row: row.created_at)
        services = self._supervisor.services
        return [
            Published(row.name, row.port, self._own_names(row.name, release))
            for row in rows
            if (service := services.get(row.name)) is not None and (release := service.release) is not None
        ]

    def _own_names(self, project: str, release: RunnableRelease) -> tuple[str, ...]:
        given = self._edge.names(project)
        return tuple(name for name in release.domains if name not in given)
