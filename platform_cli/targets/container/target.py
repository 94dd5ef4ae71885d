"""Deploys to a platform that runs each release in a container of its own, from an image that is loaded here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ...config.project import Project
from ...errors import HomeportError
from ...home import Home
from ...origin import Origin
from ...pipeline.build import Built, build
from ...pipeline.model import Bundle
from ...pipeline.stages import Stages
from ...platform_client.client import PlatformClient
from ...supervisor.engine import Engine
from ...supervisor.release import Container
from ..base import Applied, KeepToken, Note, Step
from ..local.target import LocalCandidate, LocalPlan, LocalTarget
from .loading import load_image, name_of

if TYPE_CHECKING:
    from ...api.inspection import Inspected
    from ...api.status import Status
    from ...doctor.machine import Diagnosis
    from ...images.model import Base, Image


@dataclass(frozen=True, slots=True)
class ContainerCandidate(LocalCandidate):
    """Is a candidate whose image is to be based on `base`."""

    built: Built
    base: Base


@dataclass(frozen=True, slots=True)
class ContainerPlan(LocalPlan):
    """Is a plan with the `candidate` that it makes serve."""

    candidate: ContainerCandidate | None = None


class ContainerTarget(LocalTarget):
    name = "container"
    where = "in a container"

    def __init__(self, client: PlatformClient, home: Home, note: Note) -> None:
        super().__init__(client, home, note)
        self._engine = Engine()

    @staticmethod
    def diagnose(project: Project) -> Diagnosis:
        from .doctor import diagnose_containers

        return diagnose_containers(LocalTarget.diagnose(project))

    @contextmanager
    def deploying(self) -> Iterator[None]:
        """Raises PlatformError if the engine that has to load the image cannot be used."""
        if self._client.remote is None:
            self._engine.check()
        with super().deploying():
            yield

    def build(self, project: Project, stages: Stages, note: Note) -> LocalCandidate:
        if self._client.remote is not None:
            # The platform makes the image, too.
            return super().build(replace(project, target=self.name), stages, note)
        from ...images.build import architecture_of, base_for, packages_for

        settings = project.in_container
        architecture = architecture_of(settings.architecture)
        inspect = partial(self._inspect, project)
        built = build(project, self._home, stages, inspect, note, lambda own: packages_for(own, architecture))
        with stages.run("base"):
            base = base_for(built.bundle.manifest, settings, self._home, anew=project.upgrade == ())
        return ContainerCandidate(project, built.bundle.manifest, built.code, built.bundle, built, base)

    def _inspect(self, project: Project, draft: Path) -> Inspected:
        from .making import inspection_container

        self._client.wait_until_running()
        container = inspection_container(draft, project, self._engine, self._home)
        return self._client.inspect(draft, project.name, project.place, asdict(container))

    def plan(self, candidate: LocalCandidate) -> LocalPlan:
        plan = super().plan(candidate)
        if not isinstance(candidate, ContainerCandidate):
            return plan
        steps = plan.steps or tuple(self._newer_base(plan.project, candidate))
        return ContainerPlan(plan.project, plan.bundle, plan.place, steps, plan.container, plan.notes, candidate)

    def _newer_base(self, project: str, candidate: ContainerCandidate) -> Iterator[Step]:
        """Yields what an upgrade of the base alone takes."""
        if candidate.project.upgrade is None:
            return
        if self._client.status(project)["image"] != str(name_of(self._image(project, candidate), self._home)):
            yield Step("start", f"a container on {candidate.base.reference}, and warm it up")
            yield Step("switch", "its URL to it")

    def _serves(self, current: Status, bundle: Bundle) -> bool:
        return super()._serves(current, bundle) and current["target"] == self.name

    def apply(self, plan: LocalPlan, stages: Stages, origin: Callable[[], Origin], keep: KeepToken) -> Applied:
        if not plan.steps or not isinstance(plan, ContainerPlan) or plan.candidate is None:
            return super().apply(plan, stages, origin, keep)
        with stages.run("image") as stage:
            loaded = load_image(self._engine, self._image(plan.project, plan.candidate), self._home)
            stage.cached = not loaded.is_new
        settings = plan.candidate.project.in_container
        container = Container(loaded.name, settings.network, settings.cpus)
        try:
            return super().apply(replace(plan, container=container), stages, origin, keep)
        except BaseException:
            if loaded.is_new:
                with suppress(HomeportError):
                    self._engine.remove_image(loaded.name)
            raise

    def _image(self, project: str, candidate: ContainerCandidate) -> Image:
        from ...images.build import build_image

        return build_image(candidate.built, candidate.project, project, candidate.base, self._home)
