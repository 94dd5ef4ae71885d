"""Describes projects, their releases, and where those came from, as the API returns them, and changes nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Mapping
from pathlib import Path
from typing import Any

from ..api.deployment import DeploymentEntry
from ..api.release import Release
from ..api.status import Status
from ..errors import BuildError, NotFoundError
from ..log_query import LogQuery
from ..pipeline.manifest import read_manifest
from ..pushes.deployments import list_deployments
from ..records import read_record
from ..supervisor.logbook import LogBook
from ..supervisor.supervisor import Supervisor
from .edge import Edge
from .store import ProjectRow
from .stores import Stores


class Overview:
    """Describes what there is; every method that names a project raises NotFoundError if it does not exist."""

    def __init__(self, stores: Stores, supervisor: Supervisor, edge: Edge) -> None:
        self._stores = stores
        self._supervisor = supervisor
        self._edge = edge

    def list_projects(self) -> list[Status]:
        rows = self._stores.store.projects()
        # A project that is being destroyed has ended before it is forgotten.
        return [self._describe(row) for row in rows if row.name in self._supervisor.services]

    def status(self, project: str) -> Status:
        row = self._stores.store.project(project)
        self._check_not_ending(project)
        return self._describe(row)

    def _check_not_ending(self, project: str) -> None:
        if project not in self._supervisor.services:
            raise NotFoundError(f"project {project!r} is being destroyed", hint="`homeport list` shows the others")

    def _describe(self, row: ProjectRow) -> Status:
        service = self._supervisor.services[row.name]
        release = self._stores.store.active_release(row.name)
        return {
            "project": row.name,
            "release": f"v{row.active}" if row.active is not None else None,
            "bundle": release.bundle if release else None,
            "state": service.state,
            "target": "container" if release and release.container else "local",
            "image": release.container.image if release and release.container else None,
            "published": self._supervisor.is_published(row.name),
            **self._edge.urls(row.name, row.port),
            "workers": service.workers,
            "processes": service.processes,
            "last_error": service.last_error or self._edge.error,
            "auth": self._stores.access.mode(row.name).name,
            "user": service.release.user if service.release else None,
            "confined": bool(service.release.hidden or service.release.container) if service.release else None,
            "folder": row.folder,
            "deployed_at": release.created_at if release else None,
            "outdated_secrets": self._stores.outdated(release) if release else [],
            "memory_mb": None,
            "architecture": None,
            "instances": None,
            "hand_made": [],
            "cost": None,
            "front": None,
            "open_errors": self._stores.telemetry.open_errors(row.name),
        }

    def versions(self, project: str) -> list[Release]:
        active = self._stores.store.project(project).active
        return [
            {
                "release": f"v{row.number}",
                "state": "failed" if row.error else "active" if row.number == active else "inactive",
                "created_at": row.created_at,
                "bundle": row.bundle,
                "reason": row.reason,
                "secrets": dict(row.secrets),
                "error": row.error,
                "origin": row.origin.data(),
            }
            for row in self._stores.store.releases(project)
        ]

    def contract(self, project: str, number: int | None = None) -> Mapping[str, Any] | None:
        """Returns the contract of the active release, or of release `number`.

        It is None before there is one, and if its bundle does not exist any more.
        """
        store = self._stores.store
        chosen = store.release(project, number) if number is not None else store.active_release(project)
        return _contract(self._stores.home.bundles / chosen.bundle) if chosen is not None else None

    async def contracts(self, project: str, numbers: Collection[int]) -> dict[int, Mapping[str, Any] | None]:
        """Returns the contracts of releases, None for one whose bundle does not exist any more."""
        chosen = [self._stores.store.release(project, number) for number in numbers]
        folders = {release.number: self._stores.home.bundles / release.bundle for release in chosen}
        # A manifest is compared with its hash, and there may be many.
        return await asyncio.to_thread(lambda: {number: _contract(folder) for number, folder in folders.items()})

    def list_deployments(self, project: str) -> list[DeploymentEntry]:
        commits = self._stores.deployments.of(project)
        if not commits:
            self._stores.store.project(project)
        return list_deployments(commits, self.versions(project) if self._stores.store.find_project(project) else ())

    def logs(self, project: str, *, follow: bool, since: float) -> AsyncIterator[bytes]:
        """Yields lines, most of them records (platform_cli.records), from about `since` on, seconds since 1970."""
        return self._log(project).chunks(follow=follow, since=since)

    def newest_logs(self, project: str, *, follow: bool, query: LogQuery, most: int) -> AsyncIterator[bytes]:
        """Yields the newest records that `query` selects, at most so many, and with `follow` those that come after."""
        return _newest(self._log(project), query, most, follow=follow)

    def _log(self, project: str) -> LogBook:
        self._stores.store.project(project)
        self._check_not_ending(project)
        return self._supervisor.services[project].log


def _contract(bundle: Path) -> Mapping[str, Any] | None:
    """Returns the contract of a bundle, None if that does not exist any more."""
    with contextlib.suppress(BuildError):
        return read_manifest(bundle)["contract"]
    return None


async def _newest(log: LogBook, query: LogQuery, most: int, *, follow: bool) -> AsyncIterator[bytes]:
    def wants(line: bytes) -> bool:
        record = read_record(line)
        return record is not None and query.wants(record)

    end = log.end()
    yield b"".join(line + b"\n" for line in await log.newest(end, wants, most))
    if follow:
        async for chunk in log.chunks(follow=True, after=end):
            found = b"".join(line + b"\n" for line in chunk.split(b"\n") if wants(line))
            if found:
                yield found
