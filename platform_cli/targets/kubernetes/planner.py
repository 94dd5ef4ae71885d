"""Compares what a project shall be with what the cluster has, and only reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ...errors import ConfigError, InputError
from ...origin import UNKNOWN
from ..base import Step
from .cluster import Cluster, Object
from .desired import Desired
from .live import Live, Release, check_ours, read_live
from .names import FOLDER
from .rollout import Counts
from .secrets import Document, ProjectSecrets, has_other_values

# What counts the pods of a Deployment, which not every version of Kubernetes has, with what becomes of it without.
COUNTING = {
    "HorizontalPodAutoscaler": "autoscaling/v2 (Kubernetes 1.23): there are always as many pods as [scaling] min says",
    "PodDisruptionBudget": "policy/v1 (Kubernetes 1.21): the drain of nodes may end all pods at once",
}


@dataclass(frozen=True, slots=True)
class KubernetesPlan:
    """Is a plan; `there` are the objects with a name of the project's by kind, and `unknown` the kinds that the cluster
    does not know. `secrets` are the values that the release gets, None if it needs none.
    """

    desired: Desired
    live: Live
    there: dict[str, Object]
    unknown: frozenset[str]
    secrets: Document | None
    steps: tuple[Step, ...]
    notes: tuple[str, ...]

    @property
    def project(self) -> str:
        return self.desired.project

    @property
    def is_new(self) -> bool:
        """Tells whether a release has to be made, and not only waited for."""
        active = self.live.active
        return active is None or active.desired != self.desired.hash or self.has_other_secrets

    @property
    def has_other_secrets(self) -> bool:
        return self.secrets is not None and self.secrets.name != _secrets_of(self.live.active, self.project)


def make_plan(cluster: Cluster, desired: Desired) -> KubernetesPlan:
    """Raises InputError for a name that somebody else's objects have, ClusterError if the cluster would refuse."""
    live = read_live(cluster, desired.project)
    _check_folder(desired, live)
    there = _there(cluster, desired)
    unknown = frozenset(kind for kind in COUNTING if not cluster.serves(kind))
    workload = desired.workload
    notes = []
    if workload.is_scaled and "HorizontalPodAutoscaler" in unknown:
        desired = replace(desired, workload=replace(workload, high=workload.low))
        notes.append(f"the cluster does not know {COUNTING['HorizontalPodAutoscaler']}")
    if desired.workload.high > 1 and "PodDisruptionBudget" in unknown:
        notes.append(f"the cluster does not know {COUNTING['PodDisruptionBudget']}")
    secrets = _secrets(cluster, desired, live)
    plan = KubernetesPlan(desired, live, there, unknown, secrets, (), tuple(notes))
    return replace(plan, steps=tuple(_steps(cluster, plan)))


def _check_folder(desired: Desired, live: Live) -> None:
    """Raises InputError for a name that nobody chose, and that a project from another folder has."""
    folder = live.said(FOLDER)
    if not desired.named and folder not in (None, desired.place):
        raise InputError(
            f"a project {desired.project!r} was deployed from {folder}",
            hint=f"--name {desired.project} makes this its next release; another name makes a project of its own",
        )


def _there(cluster: Cluster, desired: Desired) -> dict[str, Object]:
    """Returns the objects with the project's names, all of which homeport has made."""
    workload = desired.workload
    kinds = ("Service", *COUNTING)
    named = [(kind, workload.name) for kind in kinds] + [
        ("Secret", name) for name in (workload.token_name, workload.relay_name)
    ]
    found: dict[str, Object] = {}
    for kind, name in named:
        one = cluster.get(kind, name)
        if one is not None:
            check_ours(cluster, one, kind, desired.project)
            found[kind] = one
    return found


def _secrets(cluster: Cluster, desired: Desired, live: Live) -> Document | None:
    """Returns the version of the secrets for the next release: that of the active one if its values are the same."""
    names = desired.workload.secrets
    if not names:
        return None
    documents = ProjectSecrets(cluster, desired.project).documents()
    now = next(reversed(documents.values()), None)
    if now is None or any(name not in now.values for name in names):
        raise ConfigError(
            f"{desired.project} needs the secrets {', '.join(names)}, of which not all are set any more",
            hint=f"homeport secrets --project {desired.project} --target kubernetes",
        )
    used = documents.get(_secrets_of(live.active, desired.project) or "")
    return used if used and not has_other_values(documents, dict.fromkeys(names, used.name), now) else now


def _secrets_of(release: Release | None, project: str) -> str | None:
    """Returns the name of the Secret with the values of a release."""
    return next(iter(release.secrets(f"{project}-secrets-").values()), None) if release else None


def _steps(cluster: Cluster, plan: KubernetesPlan) -> Iterator[Step]:
    desired, live = plan.desired, plan.live
    deployment = live.deployment
    if not plan.is_new:
        if deployment is not None and not Counts.of(deployment).are_complete:
            yield Step("wait", f"until the pods of {desired.project} are ready")
        return
    objects = desired.objects(live.next_number, desired.workload.secrets_name, "deploy", UNKNOWN)
    for kind in objects.keys() - plan.unknown:
        cluster.apply(objects[kind], dry_run=True)
    yield Step("push", f"the image to {desired.workload.image.name}")
    if deployment is None:
        where = f"in namespace {cluster.namespace} of context {cluster.connection.context}"
        yield Step("create", f"Service and Deployment {desired.project} {where}")
    yield Step("start", f"the pods of v{live.next_number}, one after the other")
    if live.active:
        yield Step("drain", f"the pods of v{live.active.number}")
