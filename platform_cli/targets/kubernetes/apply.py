"""Applies a plan: pushes the image, makes the keys that are missing, and rolls the release out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...home import Home
from ...images.contents import Layers
from ...images.push import push_image
from ...origin import Origin
from ...pipeline.stages import Stages
from ..base import Applied, KeepToken, Note
from .cluster import Cluster, Object
from .desired import with_replicas
from .keys import make_keys
from .live import read_live
from .names import is_ours
from .planner import COUNTING, KubernetesPlan
from .rollout import Rollout
from .secrets import ProjectSecrets
from .status import status_of, urls_of
from .switch import removed_after_failure, switch

if TYPE_CHECKING:
    from ...api.status import ChangedStatus


def apply_plan(
    cluster: Cluster,
    plan: KubernetesPlan,
    home: Home,
    stages: Stages,
    origin: Callable[[], Origin],
    keep: KeepToken,
    note: Note,
) -> Applied:
    """Returns when the release serves; without steps it only reads the project's status.

    Raises RegistryError, ClusterError or ReleaseError, with the old release still serving.
    """
    token = None
    if plan.is_new:
        with stages.run("push") as stage:
            image = plan.desired.image
            stage.cached = not push_image(image, plan.desired.workload.image, Layers(home).blobs).changed
        token = make_keys(cluster, plan.desired.workload, has_token=plan.desired.has_token)
        if token:
            keep(urls_of(cluster, plan.project, plan.desired.host)["url"], token)
        with stages.run("rollout"):
            _roll_out(cluster, plan, origin(), note)
            ProjectSecrets(cluster, plan.project).prune(read_live(cluster, plan.project))
    elif plan.steps and plan.live.deployment is not None:
        with stages.run("rollout"):
            Rollout(cluster, plan.live.deployment, note).wait()
    live = read_live(cluster, plan.project)
    status: ChangedStatus = {**status_of(cluster, plan.project, live), "changed": plan.is_new}
    notes = () if plan.desired.host or not plan.is_new or plan.live.active else (_way_in(cluster, plan.project),)
    return Applied(status, changed=plan.is_new, token=token, notes=notes)


def _way_in(cluster: Cluster, project: str) -> str:
    return (
        f"its URL is one of the cluster's own; from here: kubectl --context {cluster.connection.context} --namespace "
        f"{cluster.namespace} port-forward service/{project} 8000:80; for others give the Service an Ingress"
    )


def _roll_out(cluster: Cluster, plan: KubernetesPlan, origin: Origin, note: Note) -> None:
    """Applies the objects of the next release; what counts pods only once it serves."""
    desired, live = plan.desired, plan.live
    secrets = plan.secrets.name if plan.secrets else desired.workload.secrets_name
    objects = desired.objects(live.next_number, secrets, "deploy", origin)
    made = cluster.apply(objects["Service"])
    with removed_after_failure(cluster, "Service", made, is_new="Service" not in plan.there):
        switch(cluster, live, with_replicas(objects["Deployment"], live.deployment), note)
    for kind in COUNTING.keys() - plan.unknown:
        _apply_or_remove(cluster, kind, objects.get(kind), plan)


def _apply_or_remove(cluster: Cluster, kind: str, wanted: Object | None, plan: KubernetesPlan) -> None:
    there = plan.there.get(kind)
    if wanted is not None:
        cluster.apply(wanted)
    elif there is not None and is_ours(there, plan.project):
        cluster.delete(kind, there)
