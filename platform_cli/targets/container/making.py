"""Makes the container of a bundle that is built where it runs: its image is made, and loaded into the engine."""

from __future__ import annotations

from ...config.project import Project
from ...home import Home
from ...images.build import base_for, build_image
from ...pipeline.build import Built
from ...pipeline.stages import Stages
from ...supervisor.engine import Engine
from ...supervisor.release import Container
from .loading import load_image


def make_container(built: Built, project: Project, engine: Engine, home: Home, stages: Stages) -> Container:
    """Raises ConfigError for a base that does not fit, RegistryError if its registry does not answer, and ReleaseError
    if the engine does not take the image.
    """
    with stages.run("base"):
        base = base_for(built, project.in_container, home, anew=project.upgrade == ())
    with stages.run("image") as stage:
        image = build_image(built, project, project.name or "", base, home)
        loaded = load_image(engine, image, home)
        stage.cached = not loaded.is_new
    return Container(loaded.name, project.in_container.network, project.in_container.cpus)
