"""Reads recorded releases as the supervisor runs them: with their secrets, their callers, their user and their
container.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from homeport_runtime.guard.access import Access

from ..errors import BuildError, NotFoundError
from ..secrets.references import check_set, referenced
from ..supervisor.release import Container, RunnableRelease, read_release
from .edge import Edge
from .protected_projects import ProtectedProjects
from .server_users import ServerUsers
from .store import ReleaseRow
from .stores import Stores


class RunnableReleases:
    def __init__(self, stores: Stores, edge: Edge, users: ServerUsers, sign_in: ProtectedProjects) -> None:
        self._stores = stores
        self._edge = edge
        self._users = users
        self._sign_in = sign_in

    def of(self, release: ReleaseRow) -> RunnableRelease:
        """Returns a recorded release as it runs. Raises BuildError if its files are gone."""
        folder, names = self._stores.home.bundles / release.bundle, self._edge.names(release.project)
        runnable = read_release(self._stores.home, release.project, release.number, folder, names)
        if release.container is not None:
            runnable = in_container(runnable, release.container)
        return replace(
            self._users.serving(runnable),
            secrets=partial(self._stores.secrets.values, release.project, release.secrets),
            access=self.callers_of(runnable),
            path=release.origin.path or runnable.path,
        )

    def find(self, project: str, number: int) -> RunnableRelease | None:
        try:
            return self.of(self._stores.store.release(project, number))
        except (NotFoundError, BuildError):
            return None

    def callers_of(self, release: RunnableRelease) -> Access | None:
        """Returns who may call, as the workers of `release` are told."""
        callers = self._stores.callers(release.project)
        access = release.lets_in(callers) if callers is not None else None
        if access is None or not self._stores.access.mode(release.project).signs_in:
            return access
        return replace(access, oauth=self._sign_in.told(release))

    def pin(self, project: str, release: RunnableRelease) -> dict[str, int]:
        """Returns the versions of the secrets that `release` gets now. Raises ConfigError if one is not set."""
        current = self._stores.secrets.current(project)
        check_set(release.environment, current, project)
        return {name: current[name] for name in referenced(release.environment)}


def in_container(release: RunnableRelease, container: Container) -> RunnableRelease:
    """Returns the release as it runs in a container, where there is nothing to hide."""
    return replace(release, container=container, hidden=(), by_landlock=False)
