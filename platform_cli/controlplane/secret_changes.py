"""Manages the secrets of projects: a changed value reaches the running server by a new release."""

from __future__ import annotations

from collections.abc import Mapping

from ..api.secret import ListedSecret, ListedVersion, SecretsSet, SecretUnset
from ..errors import HomeportError, NotFoundError, ReleaseError
from ..secrets.base import check_secret
from .locks import ProjectLocks
from .releases import Releases
from .stores import Stores


class SecretChanges:
    def __init__(self, stores: Stores, locks: ProjectLocks, releases: Releases) -> None:
        self._stores = stores
        self._locks = locks
        self._releases = releases

    async def set(self, project: str, values: Mapping[str, str], *, apply: bool = True) -> SecretsSet:
        """Stores the values that have changed, and with `apply` makes a release with them if the active one has others.

        Raises ReleaseError if that release does not start: the values are stored, and the old release still serves.
        """
        for name, value in values.items():
            check_secret(name, value)
        async with self._locks.of(project):
            changed = self._stores.secrets.set(project, values)
            active = self._stores.store.active_release(project)
            outdated = self._stores.outdated(active) if active and apply else []
            applied = [name for name in outdated if name in values]
            if active and applied:
                current = self._stores.secrets.current(project)
                pinned = {**active.secrets, **{name: current[name] for name in applied}}
                reason = f"secret {', '.join(applied)}"
                try:
                    active = await self._releases.make(
                        project, active.bundle, pinned, reason, active.origin, active.container
                    )
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

    async def unset(self, project: str, name: str) -> SecretUnset:
        """Unsets a secret, so that no new release gets it; releases that are pinned to it keep it.

        Raises NotFoundError if it is not set.
        """
        async with self._locks.of(project):
            if not self._stores.secrets.unset(project, name):
                hint = f"`homeport list-secrets --project {project}` shows those it has"
                raise NotFoundError(f"{project} has no secret {name!r}", hint=hint)
            active = self._stores.store.active_release(project)
            in_use = f"v{active.number}" if active and name in active.secrets else None
            return {"project": project, "name": name, "in_use": in_use}

    def share(self, project: str, preview: str) -> None:
        """Gives a preview its project's present values, under the preview's own name."""
        self._stores.secrets.set(preview, self._stores.secrets.values(project, self._stores.secrets.current(project)))

    def listed(self, project: str) -> list[ListedSecret]:
        """Returns each secret that is set or that a release is pinned to, with its versions and their releases."""
        releases = self._stores.store.releases(project)[::-1]
        current = self._stores.secrets.current(project)
        found: dict[str, ListedSecret] = {}
        for version in self._stores.secrets.versions(project):
            used = [
                f"v{r.number}" for r in releases if r.error is None and r.secrets.get(version.name) == version.version
            ]
            is_current = current.get(version.name) == version.version
            if used or is_current:
                entry: ListedSecret = {"name": version.name, "version": current.get(version.name), "versions": []}
                described: ListedVersion = {"version": version.version, "set_at": version.set_at, "releases": used}
                found.setdefault(version.name, entry)["versions"].append(described)
        return list(found.values())
