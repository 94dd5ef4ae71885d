"""Gives each project's server a user of its own where that was chosen.

Such a server is not quite what it is by hand: what only root may read is closed to it. So it takes a choice, which a
platform of root's makes itself when it gets a domain, since from then on strangers reach it.
"""

from __future__ import annotations

from ..api.platform import Isolate
from ..errors import InputError
from ..isolation import choose_isolation, chosen_isolation, isolation
from ..supervisor.own_user import as_user, obstacle
from ..supervisor.release import RunnableRelease
from .stores import Stores


class ServerUsers:
    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._home = stores.home

    @property
    def isolation(self) -> Isolate:
        return isolation(self._home)

    def choose(self, isolate: Isolate) -> None:
        """Raises InputError if servers cannot have users of their own here."""
        if isolate == "users" and (reason := obstacle(self._home.root)) is not None:
            raise InputError(f"servers cannot have users of their own: {reason}", hint="homeport doctor says more")
        choose_isolation(self._home, isolate)

    def become_public(self) -> None:
        """Chooses users, where that is possible and nobody has chosen."""
        if chosen_isolation(self._home) is None and obstacle(self._home.root) is None:
            choose_isolation(self._home, "users")

    @property
    def _gives_users(self) -> bool:
        """Tells whether what runs in no container has a user of its own, also where what comes next gets containers."""
        if self.isolation == "container":
            return obstacle(self._home.root) is None
        return self.isolation == "users"

    def serving(self, release: RunnableRelease) -> RunnableRelease:
        """Returns a project's release as it runs."""
        return as_user(release, self._stores.users.of(release.project)) if self._gives_users else release

    def inspected(self, release: RunnableRelease, project: str | None) -> RunnableRelease:
        """Returns the release as it is inspected for `project`, which may not exist yet."""
        if not self._gives_users:
            return release
        users = self._stores.users
        return as_user(release, (project and users.find(project)) or users.next())
