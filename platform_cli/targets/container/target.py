"""Deploys to a platform that runs each release in a container of its own, from an image that is loaded here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from ...config.project import Project
from ...errors import InputError
from ...home import Home
from ...origin import Origin
from ...pipeline.build import Built, build
from ...pipeline.model import Bundle
from ...pipeline.stages import Stages
from ...platform_client.client import PlatformClient
from ...supervisor.engine import Engine
from ..base import Applied, KeepToken, Note
from ..local.target import LocalCandidate, LocalPlan, LocalTarget
from .loading import Loaded, load_image

if TYPE_CHECKING:
    from ...api.status import Status
    from ...doctor.machine import Diagnosis
    from ...images.model import Base


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

    @classmethod
    def opened(cls, project: Project, platform: str | None, note: Note) -> LocalTarget:
        if platform is not None:
            raise InputError(
                "containers are deployed on the platform's own machine, whose engine loads their images",
                hint="leave --platform out, and run it over there",
            )
        return super().opened(project, platform, note)

    @staticmethod
    def diagnose(project: Project) -> Diagnosis:
        from .doctor import diagnose_containers

        return diagnose_containers(LocalTarget.diagnose(project))

    @contextmanager
    def deploying(self) -> Iterator[None]:
        self._engine.check()
        with super().deploying():
            yield

    def build(self, project: Project, stages: Stages, note: Note) -> ContainerCandidate:
        from ...images.build import architecture_of, base_for, packages_for

        settings = project.in_container
        architecture = architecture_of(settings.architecture)
        inspect = partial(self._inspect, project)
        built = build(project, self._home, stages, inspect, note, lambda own: packages_for(own, architecture))
        with stages.run("base"):
            base = base_for(built, settings, self._home, anew=project.upgrade == ())
        return ContainerCandidate(project, built.bundle.manifest, built.code, built.bundle, built, base)

    def plan(self, candidate: LocalCandidate) -> ContainerPlan:
        plan = super().plan(candidate)
        made = candidate if isinstance(candidate, ContainerCandidate) else None
        return ContainerPlan(plan.project, plan.bundle, plan.place, plan.steps, plan.container, plan.notes, made)

    def _serves(self, current: Status, bundle: Bundle) -> bool:
        return super()._serves(current, bundle) and current["target"] == self.name

    def apply(self, plan: LocalPlan, stages: Stages, origin: Callable[[], Origin], keep: KeepToken) -> Applied:
        if not plan.steps or not isinstance(plan, ContainerPlan) or plan.candidate is None:
            return super().apply(plan, stages, origin, keep)
        with stages.run("image"):
            loaded = self._load(plan.project, plan.candidate)
        container = {"image": loaded.name, "network": plan.candidate.project.in_container.network}
        try:
            return super().apply(replace(plan, container=container), stages, origin, keep)
        except BaseException:
            if loaded.is_new:
                self._engine.remove_image(loaded.name)
            raise

    def _load(self, project: str, candidate: ContainerCandidate) -> Loaded:
        """Makes the image, and loads it if the engine does not have it."""
        from ...images.build import build_image

        image = build_image(candidate.built, candidate.project, project, candidate.base, self._home)
        return load_image(self._engine, image, project, self._home)
