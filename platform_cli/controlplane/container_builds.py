"""Decides which bundles that the platform builds run in containers, makes those, and keeps them until the deploy."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.project import Project
from ..errors import InputError
from ..home import Home, write_atomic
from ..isolation import isolation
from ..supervisor.engine import Engine
from ..supervisor.release import Container
from .store import ReleaseRow, Store

if TYPE_CHECKING:
    from ..pipeline.build import Built
    from ..pipeline.model import Interpreter
    from ..pipeline.stages import Stages


class ContainerBuilds:
    def __init__(self, home: Home, store: Store, engine: Engine) -> None:
        self._store = store
        self._home = home
        self._engine = engine

    async def wants(self, project: Project) -> bool:
        """Tells whether the platform, the project or its present release wants that it runs in a container.

        It is asked from a build's thread, and the store is the event loop's.
        """
        row = self._store.find_project(project.name) if project.name else None
        active = self._store.active_release(row.name) if row else None
        return (
            isolation(self._home) == "container"
            or project.target == "container"
            or (active is not None and active.container is not None)
        )

    @staticmethod
    def packages_for(project: Project, own: Interpreter) -> Interpreter:
        # Imported late, here and below, since few platforms make images.
        from ..images.build import architecture_of, packages_for

        return packages_for(own, architecture_of(project.in_container.architecture))

    def for_inspection(self, draft: Path, project: Project) -> Container:
        """Returns the container in which the draft of a bundle is loaded.

        Raises the errors of `make`.
        """
        from ..targets.container.making import inspection_container

        self._engine.check()
        return inspection_container(draft, project, self._engine, self._home)

    def make(self, built: Built, project: Project, stages: Stages) -> None:
        """Makes the container of a bundle, which takes a while.

        Raises ConfigError, RegistryError or ReleaseError if it cannot be made.
        """
        from ..targets.container.making import make_container

        self._engine.check()
        container = make_container(built, project, self._engine, self._home, stages)
        write_atomic(self._home.containers / f"{built.bundle.hash}.json", json.dumps(asdict(container)).encode())

    def container_of(self, bundle: str, active: ReleaseRow | None) -> Container | None:
        """Returns the container for a release of `bundle`, whose project has the release `active`, None for none.

        Raises InputError if it should have one, and nobody has made it.
        """
        if found := self._made(bundle):
            return found
        if active is not None and active.container is not None:
            if active.bundle == bundle:
                return active.container
            raise InputError(
                f"{active.project} runs in containers, whose images are made where it is deployed",
                hint="--target container; to run it without, deploy it under another name",
            )
        self.check_may_run_without()
        return None

    def check_may_run_without(self) -> None:
        """Raises InputError if nothing may run, or be loaded, outside of a container here."""
        if isolation(self._home) == "container":
            raise InputError(
                "this platform runs every server in a container, and nobody has made one for this",
                hint='--target container, or target = "container" under [deployment] in fastmcp.toml',
            )

    def _made(self, bundle: str) -> Container | None:
        try:
            return Container(**json.loads((self._home.containers / f"{bundle}.json").read_bytes()))
        except FileNotFoundError:
            return None
