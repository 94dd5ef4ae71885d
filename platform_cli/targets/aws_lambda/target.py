"""Implements the target `lambda`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from ...config.hosts import is_public
from ...config.project import Project
from ...doctor.machine import Diagnosis
from ...errors import ConfigError
from ...home import open_home
from ...origin import Origin
from ...pipeline.stages import Stages
from ...secrets.references import with_secret_values
from ..base import Applied, KeepToken, Note, Promotion, Target
from .apply import apply_plan, wait_for_instances
from .boundary import bounded
from .build import build_candidate
from .candidate import LambdaCandidate
from .client import AWS, aws_errors
from .planner import LambdaPlan, make_plan
from .projects import LambdaProjects
from .promotion import promoted
from .secrets_manager import ProjectSecrets


class LambdaTarget(LambdaProjects, Target[LambdaCandidate, LambdaPlan]):
    name = "lambda"
    where = "on Lambda"

    @classmethod
    def opened(cls, project: Project, _platform: str | None, _note: Note) -> LambdaTarget:
        return cls(AWS(project.on_lambda.region))

    @staticmethod
    def diagnose(project: Project) -> Diagnosis:
        from .doctor import run_lambda_checks

        return Diagnosis(run_lambda_checks(project.on_lambda, fronted=any(map(is_public, project.domains))))

    def check_builds_here(self) -> None:
        """Does nothing, since builds are always on this machine."""

    def connect(self, *, changes: bool) -> None:
        """Does nothing, since AWS always answers."""

    @contextmanager
    def deploying(self) -> Iterator[None]:
        self.aws.prepare()
        self.aws.check_access()
        yield

    def with_secrets(self, project: Project, values: Mapping[str, str]) -> Project:
        """Stores the values; the build checks whether all secrets are set, so that they are read only once."""
        project = bounded(project)
        if not values:
            return project
        if project.name is None:
            raise ConfigError(
                "--env-file makes secrets of a project, which has no name yet",
                hint="name it with --name, or with name under [project] in fastmcp.toml",
            )
        return with_secret_values(project, values, ProjectSecrets(self.aws, project.name).set)

    def build(self, project: Project, stages: Stages, note: Note) -> LambdaCandidate:
        return build_candidate(bounded(project), lambda: self.aws, open_home(), stages, note)

    @contextmanager
    def promoted(self, source: Project, to: Project) -> Iterator[Promotion]:
        if source.on_lambda.region != to.on_lambda.region:
            raise ConfigError("the two stages are in different regions", hint="deploy each of them by itself")
        to = bounded(replace(to, sessions=False))
        self.aws.check_access()
        with aws_errors(), promoted(self.aws, source.name or "", to.name or "", to) as promotion:
            yield promotion

    def plan(self, candidate: LambdaCandidate) -> LambdaPlan:
        return make_plan(self.aws, candidate.desired)

    def apply(self, plan: LambdaPlan, stages: Stages, origin: Callable[[], Origin], keep: KeepToken) -> Applied:
        return apply_plan(self.aws, plan, stages, origin, keep)

    def ready(self, plan: LambdaPlan, applied: Applied, stages: Stages) -> None:
        wait_for_instances(self.aws, plan, applied, stages)
