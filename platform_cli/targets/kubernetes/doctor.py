"""Checks what a deploy to a cluster needs: a kubeconfig, a cluster that answers, rights, a repository for images."""

from __future__ import annotations

from collections.abc import Iterator

from ...config.project import Project
from ...doctor.machine import Check, Diagnosis
from ...doctor.reach import Reach
from ...errors import HomeportError
from .candidate import repository_of
from .cluster import Cluster
from .kubeconfig import read_connection
from .planner import COUNTING
from .refusals import explain_rights

# What a deploy does to which objects.
NEEDED = (
    ("patch", "Deployment"),
    ("patch", "Service"),
    ("create", "Secret"),
    ("list", "Secret"),
    ("list", "ReplicaSet"),
    ("list", "Pod"),
    ("delete", "Deployment"),
)


def diagnose_cluster(project: Project) -> Diagnosis:
    return Diagnosis(_checks(project), _reach())


def _checks(project: Project) -> Iterator[Check]:
    settings = project.on_kubernetes
    try:
        connection = read_connection(settings.context, settings.namespace)
    except HomeportError as error:
        yield Check("kubeconfig", "problem", error.message, error.hint)
        return
    yield Check("kubeconfig", "ok", f"context {connection.context}, namespace {connection.namespace}")
    cluster = Cluster(connection)
    try:
        yield Check("cluster", "ok", f"{connection.server} answers: Kubernetes {cluster.version()}")
        yield _rights(cluster)
        for kind in (kind for kind in COUNTING if not cluster.serves(kind)):
            yield Check(kind, "warning", f"the cluster does not know {COUNTING[kind]}")
    except HomeportError as error:
        yield Check("cluster", "problem", error.message, error.hint)
        return
    try:
        yield Check("images", "ok", f"are pushed to {repository_of(project).name}")
    except HomeportError as error:
        yield Check("images", "warning", error.message, error.hint)


def _rights(cluster: Cluster) -> Check:
    missing = [f"{verb} {kind}" for verb, kind in NEEDED if not cluster.may(verb, kind)]
    if missing:
        return Check("rights", "problem", f"missing: {', '.join(missing)}", explain_rights(cluster.connection))
    return Check("rights", "ok", f"what a deploy does in namespace {cluster.namespace}")


def _reach() -> Iterator[Reach]:
    yield Reach("other projects, other processes", "no", "not in its pod")
    yield Reach("its bundle and packages", "reads", "its image is read-only")
    yield Reach("the cluster's API", "no", "its pod has no token for it")
    yield Reach("kernel settings, disks, raw packets", "no", "it has no capability (restricted Pod Security Standard)")
    yield Reach("the network, and other pods", "yes", "unless a NetworkPolicy of yours says otherwise")
