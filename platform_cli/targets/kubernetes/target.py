"""Implements the target `kubernetes`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from ...config.project import Project
from ...errors import ConfigError, InputError
from ...home import open_home
from ...origin import Origin
from ...pipeline.stages import Stages
from ...secrets.references import with_secret_values
from ..base import Applied, KeepToken, Note, Promotion, Target
from .apply import apply_plan
from .candidate import KubernetesCandidate, build_candidate, repository_of
from .cluster import Cluster
from .kubeconfig import read_connection
from .names import check_name_fits
from .planner import KubernetesPlan, make_plan
from .projects import KubernetesProjects
from .secrets import ProjectSecrets

if TYPE_CHECKING:
    from ...doctor.machine import Diagnosis


class KubernetesTarget(KubernetesProjects, Target[KubernetesCandidate, KubernetesPlan]):
    name = "kubernetes"
    where = "on Kubernetes"

    @classmethod
    def opened(cls, project: Project, _platform: str | None, note: Note) -> KubernetesTarget:
        settings = project.on_kubernetes
        return cls(Cluster(read_connection(settings.context, settings.namespace)), note)

    @staticmethod
    def diagnose(project: Project) -> Diagnosis:
        from .doctor import diagnose_cluster

        return diagnose_cluster(project)

    def check_builds_here(self) -> None:
        """Does nothing, since builds are always on this machine."""

    def connect(self, *, changes: bool) -> None:
        """Does nothing, since a cluster always answers."""

    @contextmanager
    def deploying(self) -> Iterator[None]:
        self.cluster.version()
        yield

    def with_secrets(self, project: Project, values: Mapping[str, str]) -> Project:
        """Stores the values; the build checks whether all secrets are set, so that they are read only once."""
        repository_of(project)
        if not values:
            return project
        if project.name is None:
            raise ConfigError(
                "--env-file makes secrets of a project, which has no name yet",
                hint="name it with --name, or with name under [project] in fastmcp.toml",
            )
        return with_secret_values(project, values, ProjectSecrets(self.cluster, check_name_fits(project.name)).set)

    def build(self, project: Project, stages: Stages, note: Note) -> KubernetesCandidate:
        return build_candidate(project, self.cluster, open_home(), stages, note)

    def promoted(self, _source: Project, _to: Project) -> AbstractContextManager[Promotion]:
        raise InputError(
            "promote moves releases on Lambda",
            hint="on a cluster deploy the same commit with another --stage: the same code makes the same image",
        )

    def plan(self, candidate: KubernetesCandidate) -> KubernetesPlan:
        return make_plan(self.cluster, candidate.desired)

    def apply(self, plan: KubernetesPlan, stages: Stages, origin: Callable[[], Origin], keep: KeepToken) -> Applied:
        return apply_plan(self.cluster, plan, open_home(), stages, origin, keep, self.note)

    def ready(self, plan: KubernetesPlan, applied: Applied, stages: Stages) -> None:
        """Does nothing, since `apply` has waited for all pods."""
