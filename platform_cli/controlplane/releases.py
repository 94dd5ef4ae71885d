"""Makes and changes releases: each change is checked, carried out, then recorded; if it fails, the old release serves
on.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import cast

from ..api.inspection import Inspected
from ..api.status import ChangedStatus, DeployedStatus
from ..errors import BuildError, HomeportError, InputError, NotFoundError, PlatformError, ReleaseError
from ..origin import Origin
from ..secrets.references import referenced
from ..supervisor.release import Container, RunnableRelease, read_release
from ..supervisor.supervisor import Supervisor
from .caller_changes import CallerChanges
from .container_builds import ContainerBuilds
from .handshake import check_handshake
from .locks import ProjectLocks
from .overview import Overview
from .protected_projects import ProtectedProjects
from .publishing import Publishing
from .release_images import ReleaseImages
from .removal import Removal
from .runnable_releases import RunnableReleases, in_container
from .server_users import ServerUsers
from .store import ProjectRow, ReleaseRow
from .stores import Stores

UNKNOWN = Origin()


class Releases:
    """Carries out the operations on projects, those on one project one after the other."""

    def __init__(
        self,
        stores: Stores,
        supervisor: Supervisor,
        locks: ProjectLocks,
        runnable: RunnableReleases,
        callers: CallerChanges,
        users: ServerUsers,
        publishing: Publishing,
        overview: Overview,
        containers: ContainerBuilds,
        images: ReleaseImages,
        sign_in: ProtectedProjects,
    ) -> None:
        self._stores = stores
        self._store = stores.store
        self._supervisor = supervisor
        self._locks = locks
        self._runnable = runnable
        self._callers = callers
        self._users = users
        self._publishing = publishing
        self._overview = overview
        self._containers = containers
        self._images = images
        self._sign_in = sign_in
        self._removal = Removal(stores, sign_in.server.forget)

    async def resume(self) -> None:
        """Lets every project answer on its port again; workers start when somebody connects."""
        self._removal.carry_on()
        self._supervisor.resume()
        for row in self._store.projects():
            service = self._supervisor.add_existing(row.name, row.state_key, row.port)
            active = self._store.active_release(row.name)
            try:
                if active:
                    await service.resume(self._runnable.of(active), partial(self._runnable.find, row.name))
            except (BuildError, PlatformError) as error:
                # The other projects serve; deploying this one again repairs it.
                service.fail(f"v{row.active} cannot serve: {error.message}")

    async def inspect(
        self,
        draft: str,
        project: str | None,
        folder: str | None = None,
        path: str | None = None,
        container: Container | None = None,
    ) -> Inspected:
        """Returns what the server in a bundle's draft tells of itself.

        `draft` is the name of its folder, `project` the one whose secrets it gets, `folder` where it comes from, `path`
        the PATH of whoever deploys it. With `container`, whose image is a base alone, it is loaded in one. Raises
        InputError for a reference to secrets without a project, and InspectError with the server's own reason.
        """
        release = read_release(self._stores.home, "inspection", 0, self._stores.home.bundles / draft)
        release = replace(release, path=path or release.path)
        if container is not None:
            release = in_container(release, container)
        else:
            self._containers.check_may_run_without()
            release = self._users.inspected(release, project)
        if project is not None:
            release = replace(
                release, secrets=partial(self._stores.secrets.values, project, self._runnable.pin(project, release))
            )
        elif referenced(release.environment):
            raise InputError("secrets belong to a project, and this one has no name yet", hint="--name NAME")
        same = {row.name for row in self._store.projects() if row.name == project or row.folder == folder}
        return await self._supervisor.inspect(release, same)

    async def deploy(
        self, project: str, bundle: str, folder: str, origin: Origin = UNKNOWN, container: Container | None = None
    ) -> DeployedStatus:
        """Makes a new release of `project`, which is created if it does not exist; a release that already serves is
        left alone.

        It runs in `container`, or in the one that was made with the bundle, else as a process. The returned status has
        a `token` if the project got one, which is shown only now. Raises InputError if it should run in a container,
        and nobody has made one.
        """
        async with self._locks.of(project):
            row = self._store.find_project(project)
            release = read_release(self._stores.home, project, 0, self._stores.home.bundles / bundle)
            pinned = self._runnable.pin(project, release)
            active = self._store.active_release(project)
            container = container or self._containers.container_of(bundle, active)
            mode = self._callers.mode(release)
            known = self._stores.access.is_settled(project, mode)
            same = active and (active.bundle, active.secrets, active.container) == (bundle, pinned, container)
            if row and active and known and same:
                service = self._supervisor.services[project]
                if service.release is None:
                    await service.resume(self._runnable.of(active))
                service.open_if_down()
                return self._deployed(project, changed=False)
            if release.issuer is not None:
                await self._sign_in.issuers.fetch(release.issuer.url)
            if row is None:
                self._create(project, folder)
            before = self._stores.access.mode(project)
            token = self._stores.access.settle(project, mode)
            try:
                await self.make(project, bundle, pinned, "deploy", origin, container)
            except BaseException:
                self._stores.access.put(project, before)
                if row is None:
                    await self._supervisor.remove(project)
                    self._removal.undo_creation(project)
                raise
            self._store.set_folder(project, folder)
            status = self._deployed(project, changed=True)
            if token:
                status["token"] = token
                status["closed_by_default"] = release.auth is None
            if self._supervisor.services[project].had_to_stop_first:
                status["stop_first_learned"] = True
            return status

    def _deployed(self, project: str, *, changed: bool) -> DeployedStatus:
        # mypy takes the optional keys of a Status for those that the dict might lack.
        return cast("DeployedStatus", {**self._overview.status(project), "changed": changed})

    async def rollback(self, project: str, number: int | None) -> ChangedStatus:
        """Activates an older release, by default the newest one before the active one that has served.

        Raises NotFoundError if there is none, and InputError for one that never served.
        """
        async with self._locks.of(project):
            row = self._store.project(project)
            target = self._store.release(project, number) if number is not None else self._previous(row)
            if target.error is not None:
                raise InputError(
                    f"v{target.number} of {project} never served: {target.error}",
                    hint=f"`homeport versions {project}` shows the releases that did",
                )
            if target.number == row.active:
                return {**self._overview.status(project), "changed": False}
            if target.container is None:
                self._containers.check_may_run_without()
            await self._supervisor.activate(project, self._runnable.of(target))
            self._store.set_active(project, target.number)
            await self._publishing.publish()
            return {**self._overview.status(project), "changed": True}

    async def destroy(self, project: str) -> None:
        """Removes the project with its workers, its releases, the files that its server wrote, and its logs.

        Raises InputError if pushes deploy it, and NotFoundError if it does not exist.
        """
        if self._stores.links.find(project):
            raise InputError(
                f"pushes deploy {project}: the next one would bring it back",
                hint=f"first: homeport unlink-repo {project}",
            )
        async with self._locks.of(project):
            self._store.project(project)
            images = self._images.of(project)
            await self._supervisor.remove(project)
            self._removal.bury(project)
            self._removal.forget(project)
            await asyncio.to_thread(self._removal.remove_files, project)
            if unused := images - self._images.used():
                await asyncio.to_thread(self._images.drop, unused)
            await self._publishing.publish()

    async def make(
        self,
        project: str,
        bundle: str,
        pinned: Mapping[str, int],
        reason: str,
        origin: Origin = UNKNOWN,
        container: Container | None = None,
    ) -> ReleaseRow:
        """Makes the next release and switches to it; one that does not start is recorded with its error."""
        number = self._store.next_number(project)
        row = ReleaseRow(project, number, bundle, time.time(), None, pinned, reason, origin, container)
        try:
            release = self._runnable.of(row)
            self._publishing.check_free(project, release)
            await self._supervisor.activate(project, release)
            await self._check_answers(project, release)
        except HomeportError as error:
            self._store.add_release(replace(row, error=error.message))
            raise
        if reason == "deploy" and origin.seconds is not None:
            row = replace(row, origin=replace(origin, seconds=origin.seconds + time.time() - row.created_at))
        self._store.add_release(row)
        await self._publishing.publish()
        return row

    async def _check_answers(self, project: str, release: RunnableRelease) -> None:
        """Raises ReleaseError for a release that no client can connect to, after activating the previous one again."""
        service = self._supervisor.services[project]
        check = partial(asyncio.to_thread, check_handshake, service.port, release.endpoints)
        try:
            if service.is_retiring:
                # A program that the previous release has left may be the one that answers; it ends with its worker.
                with suppress(ReleaseError):
                    await check()
                    return
                await service.retired()
            await check()
        except ReleaseError:
            if active := self._store.active_release(project):
                await self._supervisor.activate(project, self._runnable.of(active))
            raise

    def _create(self, project: str, folder: str) -> None:
        state_key = secrets.token_hex(32)
        service = self._supervisor.add_new(project, state_key, {row.port for row in self._store.projects()})
        self._store.create_project(project, service.port, state_key, folder)

    def _previous(self, row: ProjectRow) -> ReleaseRow:
        for release in self._store.releases(row.name):
            if release.error is None and row.active is not None and release.number < row.active:
                return release
        raise NotFoundError(
            f"{row.name} has no release before v{row.active}", hint=f"`homeport versions {row.name}` shows its releases"
        )
