"""Makes the containers of a bundle that is built where it runs: images are made, and loaded into the engine."""

from __future__ import annotations

from pathlib import Path

from ...config.project import Project
from ...home import Home
from ...images.build import base_for, base_image, build_image
from ...pipeline.build import Built
from ...pipeline.manifest import read_manifest
from ...pipeline.stages import Stages
from ...supervisor.engine import Engine
from ...supervisor.release import Container
from .loading import load_image


def make_container(built: Built, project: Project, engine: Engine, home: Home, stages: Stages) -> Container:
    """Raises ConfigError for a base that does not fit, RegistryError if its registry does not answer, and ReleaseError
    if the engine does not take the image.
    """
    with stages.run("base"):
        base = base_for(built.bundle.manifest, project.in_container, home, anew=project.upgrade == ())
    with stages.run("image") as stage:
        image = build_image(built, project, project.name or "", base, home)
        loaded = load_image(engine, image, home)
        stage.cached = not loaded.is_new
    return Container(loaded.name, project.in_container.network, project.in_container.cpus)


def inspection_container(draft: Path, project: Project, engine: Engine, home: Home) -> Container:
    """Returns the container in which a bundle's draft is loaded: that of its base, which is in the engine then.

    Raises the errors of `make_container`.
    """
    manifest = read_manifest(draft)
    base = base_for(manifest, project.in_container, home, anew=False)
    loaded = load_image(engine, base_image(manifest, base), home)
    return Container(loaded.name, project.in_container.network, project.in_container.cpus)
