"""Runs all projects of the embedded platform."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Iterable
from functools import partial

from ..api.inspection import Inspected
from ..audit.chain import NOTHING, Head
from ..home import Home
from ..telemetry.error_event import ErrorEvent
from ..telemetry.operation import Operation
from .bytecode import Bytecode
from .containers import Containers
from .descriptor_store import DescriptorStore
from .engine import Engine
from .exclusive import beside
from .grouping import Grouping, own_groups
from .inspection import inspect_by, inspect_release
from .inspections import Inspections
from .launchers import Launchers
from .parking import open_parking
from .release import RunnableRelease
from .service import Service
from .sockets import first_port, open_new_listener
from .zygotes import Zygotes


class Supervisor:
    def __init__(
        self, home: Home, store: DescriptorStore, audit_head: Callable[[str], Head] = lambda _: NOTHING
    ) -> None:
        self._home = home
        self._store = store
        self._audit_head = audit_head
        self._zygotes = Zygotes(home.platform_log, Grouping(own_groups(home)))
        self._inspections = Inspections(self._zygotes)
        self.engine = Engine()
        self._containers = Containers(home, self.engine)
        self._launchers = Launchers(self._zygotes, self._containers)
        self._parking = open_parking()
        self._bytecode = Bytecode()
        self.services: dict[str, Service] = {}
        # Gets a project, and an operation of one of its releases.
        self.on_operation: Callable[[str, int, Operation], None] = lambda _project, _release, _operation: None
        # Gets a project, and an error in one of its releases.
        self.on_error: Callable[[str, int, ErrorEvent], None] = lambda _project, _release, _error: None
        # Gets a project, and the hashes of its client tokens that callers have shown.
        self.on_used: Callable[[str, tuple[str, ...]], None] = lambda _project, _tokens: None
        # Gets a project, and what a message of Refused says.
        self.on_refused: Callable[[str, str | None], None] = lambda _project, _grant: None

    def add_new(self, project: str, state_key: str, taken: Container[int]) -> Service:
        """Adds a service on the first free port that is not in `taken`."""
        port, listener = open_new_listener(taken, first_port(self._home.root))
        service = self.add_existing(project, state_key, port)
        service.open(listener)
        return service

    def add_existing(self, project: str, state_key: str, port: int) -> Service:
        """Adds a service on its own port, which `resume` opens."""
        folder = self._home.project(project)
        service = Service(
            folder, project, port, state_key, self._launchers, self._parking, self._store, self._audit_head(project)
        )
        service.journal.on_operation = lambda release, operation: self.on_operation(project, release, operation)
        service.journal.on_error = lambda release, error: self.on_error(project, release, error)
        service.report_uses(lambda tokens: self.on_used(project, tokens))
        service.report_refusals(lambda grant: self.on_refused(project, grant))
        self.services[project] = service
        return service

    async def remove(self, project: str) -> None:
        service = self.services.pop(project)
        await service.close()
        self._keep_needed()
        if service.release is not None and service.release.container is not None:
            await self._containers.settled()

    async def close(self) -> None:
        await asyncio.gather(*(service.close() for service in self.services.values()))
        await self._inspections.ended()
        await self._zygotes.close()
        await self._containers.close()
        await self._bytecode.close()

    def resume(self) -> None:
        """Takes over the zygotes and containers that the last control plane has left."""
        self._zygotes.keep_in(self._store)
        self._containers.keep_in(self._store)

    async def leave(self) -> None:
        """Leaves workers, zygotes and connections to the next control plane."""
        await asyncio.gather(*(service.leave() for service in self.services.values()))
        await self._inspections.ended()
        await self._store.flush()
        await self._bytecode.close()

    async def activate(self, project: str, release: RunnableRelease) -> None:
        """Switches the project to `release`; if that raises, the old release still serves."""
        await self._inspections.ended()
        try:
            await self.services[project].activate(release)
        except BaseException:
            self._keep_needed()
            await self._containers.left(release)
            raise
        self._keep_needed()

    async def inspect(self, release: RunnableRelease, projects: Iterable[str] = ()) -> Inspected:
        """Loads a release that does not serve yet, and returns what its server tells of itself.

        Workers of `projects` pause if they are in its way. Raises InspectError with the server's own reason.
        """
        self._bytecode.compile(release)
        services = [self.services[project] for project in sorted(projects)]
        if release.container is not None:
            launching = partial(self._containers.for_inspection, release)
            return await beside(services, lambda: inspect_by(launching, release))
        await self._inspections.ended()
        waiting = partial(inspect_release, self._zygotes, release)
        return await beside(services, partial(self._inspections.inspect, release), alone=waiting)

    def is_published(self, project: str) -> bool | None:
        """Tells whether a project is reached by published ports of its container, None where it has none."""
        release = self.services[project].release
        return self._containers.is_published(release) if release is not None and release.container else None

    def _keep_needed(self) -> None:
        """Ends zygotes and containers of releases that no project serves any more."""
        releases = [service.release for service in self.services.values() if service.release is not None]
        self._zygotes.keep(release for release in releases if release.container is None)
        self._containers.keep(release for release in releases if release.container is not None)
