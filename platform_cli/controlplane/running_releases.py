"""Tells the workers that run what has changed for them since they started."""

from __future__ import annotations

from dataclasses import replace

from ..supervisor.supervisor import Supervisor
from .runnable_releases import RunnableReleases
from .store import Store


class RunningReleases:
    """Changes what runs without a new release; whoever calls it holds the project's lock."""

    def __init__(self, store: Store, supervisor: Supervisor, runnable: RunnableReleases) -> None:
        self._store = store
        self._supervisor = supervisor
        self._runnable = runnable

    async def refresh(self, project: str) -> None:
        """Replaces running workers, because something that the platform itself tells them has changed."""
        service = self._supervisor.services.get(project)
        if service is None or service.release is None:
            return
        release = self._runnable.of(self._store.release(project, service.release.number))
        if service.workers:
            await self._supervisor.activate(project, release)
        else:
            service.release = release

    async def admit(self, project: str) -> None:
        """Tells the running workers who may call from now on; those of earlier versions are replaced."""
        service = self._supervisor.services.get(project)
        if service is None or service.release is None:
            return
        access = self._runnable.callers_of(service.release)
        if access is None:
            return
        if service.release.hears_access:
            await service.admit(replace(service.release, access=access), access)
        else:
            await self.refresh(project)
