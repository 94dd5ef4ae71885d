"""Makes and changes releases: each change is checked, carried out, then recorded; if it fails, the old release serves
on.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import cast

from homeport_runtime.guard.access import Access

from ..api.inspection import Inspected
from ..api.status import ChangedStatus, DeployedStatus, StatusWithToken
from ..errors import BuildError, HomeportError, InputError, NotFoundError, PlatformError, ReleaseError
from ..origin import Origin
from ..secrets.references import check_set, referenced
from ..supervisor.release import Container, RunnableRelease, read_release
from ..supervisor.supervisor import Supervisor
from .container_builds import ContainerBuilds
from .edge import Edge
from .handshake import check_handshake
from .overview import Overview
from .protected_projects import ProtectedProjects
from .publishing import Publishing
from .release_images import ReleaseImages
from .removal import Removal
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
        edge: Edge,
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
        self._edge = edge
        self._users = users
        self._publishing = publishing
        self._overview = overview
        self._containers = containers
        self._images = images
        self._sign_in = sign_in
        self._removal = Removal(stores, sign_in.server.forget)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def lock(self, project: str) -> asyncio.Lock:
        return self._locks[project]

    async def resume(self) -> None:
        """Lets every project answer on its port again; workers start when somebody connects."""
        self._removal.carry_on()
        self._supervisor.resume()
        for row in self._store.projects():
            service = self._supervisor.add_existing(row.name, row.state_key, row.port)
            active = self._store.active_release(row.name)
            try:
                if active:
                    await service.resume(self._runnable(active), partial(self._known, row.name))
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
            release = _in_container(release, container)
        else:
            self._containers.check_may_run_without()
            release = self._users.inspected(release, project)
        if project is not None:
            release = replace(
                release, secrets=partial(self._stores.secrets.values, project, self._pin(project, release))
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
        async with self.lock(project):
            row = self._store.find_project(project)
            release = read_release(self._stores.home, project, 0, self._stores.home.bundles / bundle)
            pinned = self._pin(project, release)
            active = self._store.active_release(project)
            container = container or self._containers.container_of(bundle, active)
            mode = self._callers(release)
            known = self._stores.access.is_settled(project, mode)
            same = active and (active.bundle, active.secrets, active.container) == (bundle, pinned, container)
            if row and active and known and same:
                service = self._supervisor.services[project]
                if service.release is None:
                    await service.resume(self._runnable(active))
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
        async with self.lock(project):
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
            await self._supervisor.activate(project, self._runnable(target))
            self._store.set_active(project, target.number)
            await self._publishing.publish()
            return {**self._overview.status(project), "changed": True}

    async def renew_token(self, project: str) -> StatusWithToken:
        """Returns the project's status with its new token.

        Raises InputError if everyone may call.
        """
        async with self.lock(project):
            self._store.project(project)
            if self._stores.access.mode(project).token_hash is None:
                raise InputError(
                    f"everyone may call {project}: it has no token",
                    hint='write mode = "token" under [auth] in its fastmcp.toml, and deploy it',
                )
            token = self._stores.access.renew(project)
            await self.admit(project)
            return {**self._overview.status(project), "token": token}

    async def end_sign_ins(self, project: str, user: str) -> int:
        """Ends the sign-ins of a user at once, and returns how many there were.

        Access tokens are not asked about again, so the project gets another key: what others have is refreshed with it.
        Raises NotFoundError if the user has not signed in.
        """
        async with self.lock(project):
            self._store.project(project)
            server = self._sign_in.server
            server.check_signed_in(project, user)
            # First, so that after a kill the same command does the rest.
            server.keys.replace(project)
            ended = server.grants.end_of(project, user)
            await self.admit(project)
            return ended

    async def close_to_strangers(self, project: str) -> str | None:
        """Returns the token that callers need from now on, if one was made.

        On a public platform a project is open to everyone only if its configuration says so.
        """
        async with self.lock(project):
            active = self._store.active_release(project)
            token = self._stores.access.settle(project, self._callers(self._runnable(active))) if active else None
            if token:
                await self.refresh(project)
            return token

    def _callers(self, release: RunnableRelease) -> str | None:
        """Returns `[auth] mode` as configured, else `oauth` if strangers would reach a server that does not
        authenticate them itself, and `token` if callers have scopes.
        """
        is_open = self._stores.access.mode(release.project).token_hash is None
        if release.auth is not None or not is_open:
            return release.auth
        if self._edge.domain is not None and not release.guarded:
            return "oauth"
        return "token" if release.manifest.get("scopes") else None

    async def destroy(self, project: str) -> None:
        """Removes the project with its workers, its releases, the files that its server wrote, and its logs.

        Raises InputError if pushes deploy it, and NotFoundError if it does not exist.
        """
        if self._stores.links.find(project):
            raise InputError(
                f"pushes deploy {project}: the next one would bring it back",
                hint=f"first: homeport unlink-repo {project}",
            )
        async with self.lock(project):
            self._store.project(project)
            images = self._images.of(project)
            await self._supervisor.remove(project)
            self._removal.bury(project)
            self._removal.forget(project)
            await asyncio.to_thread(self._removal.remove_files, project)
            if unused := images - self._images.used():
                await asyncio.to_thread(self._images.drop, unused)
            await self._publishing.publish()

    async def refresh(self, project: str) -> None:
        """Replaces running workers, because something that the platform itself tells them has changed."""
        service = self._supervisor.services.get(project)
        if service is None or service.release is None:
            return
        release = self._runnable(self._store.release(project, service.release.number))
        if service.workers:
            await self._supervisor.activate(project, release)
        else:
            service.release = release

    async def admit(self, project: str) -> None:
        """Tells the running workers who may call from now on; those of earlier versions are replaced."""
        service = self._supervisor.services.get(project)
        if service is None or service.release is None or (access := self._callers_of(service.release)) is None:
            return
        if service.release.hears_access:
            await service.admit(replace(service.release, access=access), access)
        else:
            await self.refresh(project)

    def _callers_of(self, release: RunnableRelease) -> Access | None:
        """Returns who may call, as the workers of `release` are told."""
        callers = self._stores.callers(release.project)
        access = release.lets_in(callers) if callers is not None else None
        if access is None or not self._stores.access.mode(release.project).signs_in:
            return access
        return replace(access, oauth=self._sign_in.told(release))

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
            release = self._runnable(row)
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
                await self._supervisor.activate(project, self._runnable(active))
            raise

    def _runnable(self, release: ReleaseRow) -> RunnableRelease:
        folder, names = self._stores.home.bundles / release.bundle, self._edge.names(release.project)
        runnable = read_release(self._stores.home, release.project, release.number, folder, names)
        if release.container is not None:
            runnable = _in_container(runnable, release.container)
        return replace(
            self._users.serving(runnable),
            secrets=partial(self._stores.secrets.values, release.project, release.secrets),
            access=self._callers_of(runnable),
            path=release.origin.path or runnable.path,
        )

    def _known(self, project: str, number: int) -> RunnableRelease | None:
        try:
            return self._runnable(self._store.release(project, number))
        except (NotFoundError, BuildError):
            return None

    def _pin(self, project: str, release: RunnableRelease) -> dict[str, int]:
        """Returns the versions of the secrets that `release` gets now.

        Raises ConfigError if one is not set.
        """
        current = self._stores.secrets.current(project)
        check_set(release.environment, current, project)
        return {name: current[name] for name in referenced(release.environment)}

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


def _in_container(release: RunnableRelease, container: Container) -> RunnableRelease:
    """Returns the release as it runs in a container, where there is nothing to hide."""
    return replace(release, container=container, hidden=(), by_landlock=False)
