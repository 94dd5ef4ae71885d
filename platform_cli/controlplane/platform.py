"""The platform's operations: every change to what is deployed, checked first, carried out, then recorded."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import shutil
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from homeport_runtime.manifest import FILE_NAME as MANIFEST

from ..errors import HomeportError, InputError, NotFoundError, ReleaseError
from ..home import Home
from ..secrets.base import check_secret
from ..secrets.references import check_set, referenced
from ..secrets.sqlite import SQLiteSecretStore
from ..supervisor.release import RunnableRelease, read_release
from ..supervisor.sockets import HOST
from ..supervisor.supervisor import Supervisor
from .access import Access
from .deployments import describe
from .domain import Domain
from .edge import Edge, Published
from .settings import Settings
from .sqlite_deployments import SQLiteDeployments
from .sqlite_links import SQLiteLinks, StoreVault
from .store import Origin, ProjectRow, ReleaseRow, Store
from .tokens import Tokens

UNKNOWN = Origin()


class Platform:
    """One per home. Operations on one project wait for each other."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._store = Store(home.store)
        self._supervisor = Supervisor(home)
        self._secrets = SQLiteSecretStore(home)
        self.settings = Settings(self._store.db)
        self.tokens = Tokens(self._store.db)
        self._access = Access(self._store.db)
        self.edge = Edge(home, self.settings)
        self.links = SQLiteLinks(self._store.db, StoreVault(self._secrets))
        self.deployments = SQLiteDeployments(self._store.db)
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
        self._secrets.close()

    def _runnable(self, release: ReleaseRow) -> RunnableRelease:
        folder, names = self._home.bundles / release.bundle, self.edge.names(release.project)
        runnable = read_release(self._home, release.project, release.number, folder, names)
        return replace(
            runnable,
            secrets=partial(self._secrets.values, release.project, release.secrets),
            token_hash=self._access.token_hash(release.project),
        )

    def _pin(self, project: str, release: RunnableRelease) -> dict[str, int]:
        """The versions of the secrets that `release` gets now. Raises ConfigError if one is not set."""
        current = self._secrets.current(project)
        check_set(release.environment, current, project)
        return {name: current[name] for name in referenced(release.environment)}

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
                # One that does not come up says so in its status; the others have their names.
                with contextlib.suppress(HomeportError):
                    await self._refresh(row.name)

    async def _refresh(self, project: str) -> None:
        """What the platform itself tells workers has changed: those that run are replaced."""
        service = self._supervisor.services.get(project)
        if service is None or service.release is None:
            return
        release = self._runnable(self._store.release(project, service.release.number))
        if service.workers:
            await self._supervisor.activate(project, release)
        else:
            service.release = release

    def worker_processes(self) -> set[int]:
        """The process ids of every worker that runs now."""
        return {pid for service in self._supervisor.services.values() for pid in service.processes}

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
            "auth": "none" if self._access.token_hash(row.name) is None else "token",
            "folder": row.folder,
            "deployed_at": release.created_at if release else None,
            "outdated_secrets": self._outdated(release) if release else [],
        }

    def versions(self, project: str) -> list[dict[str, Any]]:
        active = self._store.project(project).active
        return [
            {
                "release": f"v{row.number}",
                "state": "failed" if row.error else "active" if row.number == active else "inactive",
                "created_at": row.created_at,
                "bundle": row.bundle,
                "reason": row.reason,
                "secrets": dict(row.secrets),
                "error": row.error,
                "origin": asdict(row.origin),
            }
            for row in self._store.releases(project)
        ]

    async def inspect(self, draft: str, project: str | None) -> dict[str, Any]:
        """What the server in a bundle's draft says of itself; `draft` is the name of its folder, `project` whose
        secrets it gets.
        """
        release = read_release(self._home, "inspection", 0, self._home.bundles / draft)
        if project is not None:
            release = replace(release, secrets=partial(self._secrets.values, project, self._pin(project, release)))
        elif referenced(release.environment):
            raise InputError("secrets belong to a project, and this one has no name yet", hint="--name NAME")
        return await self._supervisor.inspect(release)

    async def deploy(self, project: str, bundle: str, folder: str, origin: Origin = UNKNOWN) -> dict[str, Any]:
        """A new release of `project`, created if it is not there. What already serves is left alone.

        The status that is returned has a `token` if the project got one, which nobody can be told again.
        """
        async with self._locks[project]:
            row = self._store.find_project(project)
            release = read_release(self._home, project, 0, self._home.bundles / bundle)
            pinned = self._pin(project, release)
            active = self._active(project)
            if row and active and (active.bundle, active.secrets) == (bundle, pinned):
                self._supervisor.services[project].open_if_down()
                return {**self._describe(row), "changed": False}
            if row is None:
                self._create(project, folder)
            before = self._access.token_hash(project)
            token = self._access.settle(project, release.auth)
            try:
                await self._release(project, bundle, pinned, "deploy", origin)
            except BaseException:
                self._access.put(project, before)
                if row is None:
                    await self._remove(project)
                raise
            self._store.set_folder(project, folder)
            return {**self.status(project), "changed": True, **({"token": token} if token else {})}

    async def renew_token(self, project: str) -> dict[str, Any]:
        """The project's new token, with its status. Raises InputError where everyone may call."""
        async with self._locks[project]:
            self._store.project(project)
            if self._access.token_hash(project) is None:
                raise InputError(
                    f"everyone may call {project}: it has no token",
                    hint='write mode = "token" under [auth] in its fastmcp.toml, and deploy it',
                )
            token = self._access.renew(project)
            await self._refresh(project)
            return {**self.status(project), "token": token}

    async def _release(
        self, project: str, bundle: str, pinned: Mapping[str, int], reason: str, origin: Origin = UNKNOWN
    ) -> ReleaseRow:
        """Makes the next release and switches to it; one that does not come up is remembered with its error."""
        number = self._store.next_number(project)
        row = ReleaseRow(project, number, bundle, time.time(), None, pinned, reason, origin)
        try:
            release = self._runnable(row)
            self.edge.check_free(project, self._own_names(project, release), self._published())
            await self._supervisor.activate(project, release)
        except HomeportError as error:
            self._store.add_release(replace(row, error=error.message))
            raise
        if reason == "deploy" and origin.seconds is not None:
            row = replace(row, origin=replace(origin, seconds=origin.seconds + time.time() - row.created_at))
        self._store.add_release(row)
        await self.edge.publish(self._published())
        return row

    async def set_secrets(self, project: str, values: Mapping[str, str]) -> dict[str, Any]:
        """Stores the values that are new. A release that serves with others is followed by one that has these.

        Raises ReleaseError when that one does not come up: the values are stored, and the old release goes on.
        """
        for name, value in values.items():
            check_secret(name, value)
        async with self._locks[project]:
            changed = self._secrets.set(project, values)
            active = self._active(project)
            applied = [name for name in self._outdated(active) if name in values] if active else []
            if active and applied:
                current = self._secrets.current(project)
                pinned = {**active.secrets, **{name: current[name] for name in applied}}
                reason = f"secret {', '.join(applied)}"
                try:
                    active = await self._release(project, active.bundle, pinned, reason, active.origin)
                except HomeportError as error:
                    raise ReleaseError(
                        f"{', '.join(applied)} is stored, but v{active.number} of {project} keeps serving without it; "
                        f"with it the server did not start: {error.message}",
                        hint="set another value, or fix the server and deploy it",
                    ) from error
            return {
                "project": project,
                "changed": changed,
                "release": f"v{active.number}" if applied and active else None,
            }

    def _active(self, project: str) -> ReleaseRow | None:
        row = self._store.find_project(project)
        return self._store.release(project, row.active) if row and row.active is not None else None

    def _outdated(self, release: ReleaseRow) -> list[str]:
        """The secrets that have another version now than `release` is pinned to."""
        current = self._secrets.current(release.project)
        return [name for name, version in release.secrets.items() if current.get(name) != version]

    async def unset_secret(self, project: str, name: str) -> dict[str, Any]:
        """Releases that are pinned to the secret keep it; no new one gets it."""
        async with self._locks[project]:
            if not self._secrets.unset(project, name):
                hint = f"`homeport list-secrets --project {project}` shows those it has"
                raise NotFoundError(f"{project} has no secret {name!r}", hint=hint)
            active = self._active(project)
            in_use = f"v{active.number}" if active and name in active.secrets else None
            return {"project": project, "name": name, "in_use": in_use}

    def share_secrets(self, project: str, preview: str) -> None:
        """A preview gets the values that its project has now, under its own name."""
        self._secrets.set(preview, self._secrets.values(project, self._secrets.current(project)))

    def contract(self, project: str, number: int | None = None) -> dict[str, Any] | None:
        """What the active release offers, or release `number`; None before there is one. Raises NotFoundError."""
        chosen = self._store.release(project, number) if number is not None else self._active(project)
        if chosen is None:
            return None
        manifest = json.loads((self._home.bundles / chosen.bundle / MANIFEST).read_bytes())
        contract: dict[str, Any] | None = manifest["contract"]
        return contract

    def list_deployments(self, project: str) -> list[dict[str, Any]]:
        """What came from where, newest first: the commits, and the releases that came from laptops."""
        commits = self.deployments.of(project)
        releases = self._store.releases(project) if self._store.find_project(project) or not commits else []
        if not commits:
            self._store.project(project)
        laptop = [
            {
                "release": f"v{row.number}",
                "source": "laptop",
                "who": row.origin.author,
                "at": row.created_at,
                "result": "failed" if row.error else "live",
                "seconds": row.origin.seconds,
                "message": row.reason,
                "error": row.error,
            }
            for row in releases
            if row.origin.sha is None
        ]
        return sorted([*laptop, *map(describe, commits)], key=lambda one: -one["at"])

    def list_secrets(self, project: str) -> list[dict[str, Any]]:
        """Each secret that is set or that a release is pinned to, with its versions and their releases."""
        releases = self._store.releases(project)[::-1]
        current = self._secrets.current(project)
        found: dict[str, dict[str, Any]] = {}
        for version in self._secrets.versions(project):
            used = [
                f"v{r.number}" for r in releases if r.error is None and r.secrets.get(version.name) == version.version
            ]
            is_current = current.get(version.name) == version.version
            if used or is_current:
                entry: dict[str, Any] = {"name": version.name, "version": current.get(version.name), "versions": []}
                described = {"version": version.version, "set_at": version.set_at, "releases": used}
                found.setdefault(version.name, entry)["versions"].append(described)
        return list(found.values())

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
        if self.links.find(project):
            raise InputError(
                f"pushes deploy {project}: the next one would bring it back",
                hint=f"first: homeport unlink-repo {project}",
            )
        async with self._locks[project]:
            self._store.project(project)
            # First, so that a project of the same name never finds them, whenever this is interrupted.
            self._secrets.forget(project)
            self.deployments.forget(project)
            await self._remove(project)
            await self.edge.publish(self._published())

    async def _remove(self, project: str) -> None:
        await self._supervisor.remove(project)
        self._store.delete_project(project)
        self._access.put(project, None)
        await asyncio.to_thread(shutil.rmtree, self._home.project(project), ignore_errors=True)

    def logs(self, project: str, *, follow: bool) -> AsyncIterator[dict[str, Any]]:
        self._store.project(project)
        return self._supervisor.services[project].log.read(follow=follow)
