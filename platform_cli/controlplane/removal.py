"""Removes a project; a removal that a kill interrupts continues when the platform starts again."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from .access_modes import Mode
from .stores import Stores

# The prefix of the folder of a project that is being destroyed, which is the project's tombstone.
TOMBSTONE = ".destroyed."


class Removal:
    """Removes projects; `forget_sign_ins` ends the sign-ins to one, since another may get its name."""

    def __init__(self, stores: Stores, forget_sign_ins: Callable[[str], None]) -> None:
        self._stores = stores
        self._forget_sign_ins = forget_sign_ins
        self._home = stores.home

    def bury(self, project: str) -> None:
        """Makes the project a tombstone, so that it is gone whatever interrupts the rest."""
        folder = self._home.project(project)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(self._tombstone(project), ignore_errors=True)
        folder.rename(self._tombstone(project))

    def forget(self, project: str) -> None:
        """Removes what the platform knows of a project that was buried."""
        self._stores.secrets.forget(project)
        self._stores.deployments.forget(project)
        self._forget_everything_else(project)

    def remove_files(self, project: str) -> None:
        """Removes the project's files and, with them, the tombstone."""
        shutil.rmtree(self._tombstone(project), ignore_errors=True)

    def undo_creation(self, project: str) -> None:
        """Removes a project whose first deploy did not finish; secrets that were set before stay."""
        folder = self._home.project(project)
        if folder.exists():
            self._home.temporary.mkdir(mode=0o700, exist_ok=True)
            folder.rename(Path(tempfile.mkdtemp(dir=self._home.temporary, prefix="undone-")) / project)
        self._forget_everything_else(project)

    def _forget_everything_else(self, project: str) -> None:
        self._stores.users.forget(project)
        self._stores.access.put(project, Mode())
        self._stores.audit_heads.forget(project)
        self._stores.audit_exports.forget(project)
        self._stores.client_tokens.forget(project)
        self._stores.console_tokens.forget(project)
        self._stores.telemetry.forget(project)
        self._stores.alerts.forget(project)
        self._forget_sign_ins(project)
        # Last, since after a kill `carry_on` finds what is left by it.
        self._stores.store.delete_project(project)

    def carry_on(self) -> None:
        """Finishes the removals that a kill has interrupted."""
        for tombstone in self._home.projects.glob(f"{TOMBSTONE}*"):
            project = tombstone.name.removeprefix(TOMBSTONE)
            self.forget(project)
            self.remove_files(project)
        for row in self._stores.store.projects():
            if row.active is None:
                self.undo_creation(row.name)

    def _tombstone(self, project: str) -> Path:
        return self._home.projects / f"{TOMBSTONE}{project}"
