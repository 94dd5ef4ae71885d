"""Decides how servers are kept apart: by namespaces alone, or as users of their own besides.

As users of their own they are not what they are by hand: what only root may read is closed to them. So it is the
default only on a platform of root's that strangers reach, and what the person has chosen on all others.
"""

from __future__ import annotations

from ..api.platform import Isolate
from ..errors import InputError
from ..supervisor.own_user import as_user, obstacle
from ..supervisor.release import RunnableRelease
from .edge import Edge
from .stores import Stores

SETTING = "isolate"


class Isolation:
    def __init__(self, stores: Stores, edge: Edge) -> None:
        self._stores = stores
        self._edge = edge

    @property
    def chosen(self) -> Isolate | None:
        match self._stores.settings.get(SETTING):
            case "namespaces" | "users" | "container" as chosen:
                return chosen
        return None

    @property
    def current(self) -> Isolate:
        if self.chosen is not None:
            return self.chosen
        public = self._edge.domain is not None
        return "users" if public and obstacle(self._stores.home.root) is None else "namespaces"

    def choose(self, isolate: Isolate) -> None:
        """Raises InputError if servers cannot have users of their own here."""
        if isolate == "users" and (reason := obstacle(self._stores.home.root)) is not None:
            raise InputError(f"servers cannot have users of their own: {reason}", hint="homeport doctor says more")
        self._stores.settings.set(SETTING, isolate)

    def serving(self, release: RunnableRelease) -> RunnableRelease:
        """Returns a project's release as it runs."""
        return as_user(release, self._stores.users.of(release.project)) if self.current == "users" else release

    def inspected(self, release: RunnableRelease, project: str | None) -> RunnableRelease:
        """Returns the release as it is inspected for `project`, which may not exist yet."""
        if self.current != "users":
            return release
        users = self._stores.users
        return as_user(release, (project and users.find(project)) or users.next())
