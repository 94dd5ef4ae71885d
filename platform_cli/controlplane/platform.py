"""Composes the platform at home: its state, what runs, and the operations on both."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3

from .. import __version__
from ..api.platform import Isolate, PlatformState
from ..api.version import API_VERSION
from ..errors import HomeportError
from ..home import Home
from ..supervisor.descriptor_store import DescriptorStore
from ..supervisor.supervisor import Supervisor
from .alert_checks import AlertChecks
from .alerts import Alerts
from .audit_exports import AuditExports
from .audit_trails import AuditTrails
from .caller_changes import CallerChanges
from .client_token_changes import ClientTokenChanges
from .container_builds import ContainerBuilds
from .domain import Domain
from .edge import Edge
from .garbage import Garbage
from .locks import ProjectLocks
from .overview import Overview
from .protected_projects import ProtectedProjects
from .publishing import Publishing
from .release_images import ReleaseImages
from .releases import Releases
from .runnable_releases import RunnableReleases
from .running_releases import RunningReleases
from .secret_changes import SecretChanges
from .server_users import ServerUsers
from .sign_in_keys import SignInKeys
from .stores import open_stores
from .telemetry import Telemetry
from .tries import Tries


class Platform:
    """Is the platform of one home."""

    def __init__(self, home: Home, store: DescriptorStore) -> None:
        self.home = home
        self.stores = open_stores(home)
        self._supervisor = Supervisor(home, store, self.stores.audit_heads.head)
        self._supervisor.on_operation = self.stores.telemetry.record
        self._supervisor.on_error = self.stores.telemetry.record_error
        self._supervisor.on_used = self._on_used
        self.edge = Edge(home, self.stores.settings)
        self.users = ServerUsers(self.stores)
        self.publishing = Publishing(self.stores, self._supervisor, self.edge)
        self.overview = Overview(self.stores, self._supervisor, self.edge)
        self.sign_in = ProtectedProjects(self.stores, self._supervisor, self.edge)
        self._supervisor.on_refused = self._on_refused
        engine = self._supervisor.engine
        self.containers = ContainerBuilds(home, self.stores.store, engine)
        images = ReleaseImages(self.stores, engine)
        self._locks = ProjectLocks()
        runnable = RunnableReleases(self.stores, self.edge, self.users, self.sign_in)
        self._running = RunningReleases(self.stores.store, self._supervisor, runnable)
        self.callers = CallerChanges(
            self.stores, self.edge, self._locks, runnable, self._running, self.overview, self.sign_in
        )
        self.releases = Releases(
            self.stores,
            self._supervisor,
            self._locks,
            runnable,
            self.callers,
            self.users,
            self.publishing,
            self.overview,
            self.containers,
            images,
            self.sign_in,
        )
        self.telemetry = Telemetry(self.stores, self._supervisor)
        self.alerts = Alerts(self.stores, self.edge)
        self.alert_checks = AlertChecks(self.alerts, self.stores, self._supervisor, self.edge)
        self.sign_in_keys = SignInKeys(self.sign_in, self._locks, self._running)
        self.audit = AuditTrails(self.stores, self._supervisor)
        self.audit_exports = AuditExports(self.stores)
        self.garbage = Garbage(self.stores, images, self._locks)
        self.secrets = SecretChanges(self.stores, self._locks, self.releases)
        self.client_tokens = ClientTokenChanges(self.stores, self._locks, self._running)
        self.tries = Tries(self.stores, self._locks, self._running)

    def _on_used(self, project: str, tokens: tuple[str, ...]) -> None:
        # On a full disk workers must be listened to nevertheless.
        with contextlib.suppress(sqlite3.Error):
            self.stores.client_tokens.note_use(project, tokens)

    def _on_refused(self, project: str, grant: str | None) -> None:
        if grant is None:
            self.sign_in_keys.want(project)
            return
        with contextlib.suppress(sqlite3.Error):
            self.sign_in.server.grants.refused(grant, project)

    async def tell_issuer(self) -> None:
        """Tells workers where people sign in, which the control plane's port decides: it may have changed."""
        for project in self.sign_in.all_here():
            with contextlib.suppress(HomeportError):
                async with self._locks.of(project.name):
                    await self._running.admit(project.name)

    def describe(self) -> PlatformState:
        return {
            "version": __version__,
            "api": API_VERSION,
            "pid": os.getpid(),
            "master": os.getppid(),
            "projects": len(self.overview.list_projects()),
            "isolate": self.users.isolation,
            **self.publishing.describe(),
        }

    async def close(self) -> None:
        await self._supervisor.close()
        self.stores.close()

    async def leave(self) -> None:
        """Ends this process's part, while workers continue until the next control plane takes them over."""
        await self._supervisor.leave()
        self.stores.close()

    def worker_processes(self) -> set[int]:
        """Returns the process ids of all workers that run now."""
        return {pid for service in self._supervisor.services.values() for pid in service.processes}

    async def set_domain(self, domain: Domain | None) -> dict[str, str]:
        """Gives every project a public name, or takes it away, and tells it to the workers.

        Returns, by project, the tokens of projects that were open to everyone without being configured so.
        """
        changed = domain != self.edge.domain
        if changed:
            self.edge.set_domain(domain)
            if domain is not None:
                self.users.become_public()
        tokens = {}
        for row in self.stores.store.projects():
            # A project that does not start reports that in its status; the others have their names.
            with contextlib.suppress(HomeportError):
                if token := await self.callers.close_to_strangers(row.name):
                    tokens[row.name] = token
                elif changed:
                    async with self._locks.of(row.name):
                        await self._running.refresh(row.name)
        return tokens

    async def isolate(self, how: Isolate) -> None:
        """Changes how servers are kept apart, those that run now included; one that does not start then runs on as it
        did.

        Servers get containers with their next deploy. Raises InputError if the machine does not allow it, and
        PlatformError for containers without an engine.
        """
        if how == "container":
            await asyncio.to_thread(self._supervisor.engine.check)
        self.users.choose(how)
        for row in self.stores.store.projects():
            with contextlib.suppress(HomeportError):
                async with self._locks.of(row.name):
                    await self._running.refresh(row.name)
