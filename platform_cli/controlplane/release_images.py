"""Removes the images of releases that are gone from the engine."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from ..supervisor.engine import Engine
from ..supervisor.loaded_images import drop_images, loaded_images
from .stores import Stores


class ReleaseImages:
    def __init__(self, stores: Stores, engine: Engine) -> None:
        self._stores = stores
        self._engine = engine

    def of(self, project: str) -> set[str]:
        """Returns the images of a project's releases."""
        return {row.container.image for row in self._stores.store.releases(project) if row.container}

    def used(self) -> set[str]:
        return {image for row in self._stores.store.projects() for image in self.of(row.name)}

    def unused(self, used: AbstractSet[str], older_than_s: float) -> list[str]:
        """Returns the images that are not `used`, those left out that were loaded within the last seconds."""
        return [name for name in loaded_images(self._stores.home, older_than_s) if name not in used]

    def drop(self, names: AbstractSet[str]) -> None:
        """Removes images, in which no container runs any more, as far as the engine can be reached."""
        drop_images(self._engine, self._stores.home, sorted(names))
