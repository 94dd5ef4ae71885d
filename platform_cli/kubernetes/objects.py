"""Makes the plain objects that run a workload: Deployment, Service, and for several pods an autoscaler and a disruption
budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..images.places import PORT
from .pod import (
    GRACE_S,
    STATE_PATH,
    TEMPORARY_PATH,
    container_security,
    environment,
    liveness_probe,
    pod_security,
    readiness_probe,
    resources,
    startup_probe,
)
from .workload import Workload

MANAGER = "homeport"
SERVICE_PORT = 80
# The processor share of its request at which an autoscaler adds pods, in percent: requests are small (pod.CPU).
BUSY_PERCENT = 400


def plain_objects(workload: Workload) -> list[dict[str, Any]]:
    """Returns the objects in the order in which they are applied."""
    objects = [_service(workload), _deployment(workload)]
    if workload.is_scaled:
        objects.append(_autoscaler(workload))
    if workload.high > 1:
        objects.append(_disruption_budget(workload))
    return objects


def ingress(workload: Workload, hosts: Sequence[str]) -> dict[str, Any]:
    """Returns what leads `hosts` to the Service from outside, with the certificate in the Secret `NAME-tls`
    (https://kubernetes.io/docs/concepts/services-networking/ingress/).

    It is of the cluster's default class, and has no annotations of a controller: streams are never silent for as long
    as these wait by default.
    """
    spec = {
        "rules": [{"host": host, "http": {"paths": [_to_service(workload)]}} for host in hosts],
        "tls": [{"hosts": [*hosts], "secretName": f"{workload.name}-tls"}],
    }
    return _object("networking.k8s.io/v1", "Ingress", workload, spec)


def _to_service(workload: Workload) -> dict[str, Any]:
    service = {"name": workload.name, "port": {"name": "http"}}
    return {"path": "/", "pathType": "Prefix", "backend": {"service": service}}


def labels(workload: Workload) -> dict[str, str]:
    """Returns the recommended labels (https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/)."""
    return {**_selector(workload), "app.kubernetes.io/managed-by": MANAGER}


def _selector(workload: Workload) -> dict[str, str]:
    return {"app.kubernetes.io/name": workload.name, "app.kubernetes.io/component": "mcp-server"}


def _object(api: str, kind: str, workload: Workload, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": workload.name, "labels": labels(workload)}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec}


def _deployment(workload: Workload) -> dict[str, Any]:
    # The new pod answers before an old one ends, so that no request is lost.
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    strategy = {"type": "Recreate"} if workload.stop_first else rolling
    spec = {
        # An autoscaler's decisions must not be undone by the next apply.
        **({} if workload.is_scaled else {"replicas": workload.low}),
        "revisionHistoryLimit": 20,
        "strategy": strategy,
        "selector": {"matchLabels": _selector(workload)},
        "template": {"metadata": {"labels": labels(workload)}, "spec": _pod(workload)},
    }
    return _object("apps/v1", "Deployment", workload, spec)


def _pod(workload: Workload) -> dict[str, Any]:
    claim = workload.claim
    # Each has a name of its own: server-side apply merges volumes of one name, and a volume is of one kind.
    state, source = (
        ("claimed-state", {"persistentVolumeClaim": {"claimName": claim}}) if claim else ("state", {"emptyDir": {}})
    )
    container = {
        "name": "server",
        "image": str(workload.image),
        # The protocol is part of the key by which server-side apply knows a port.
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "env": environment(workload),
        "securityContext": container_security(),
        "resources": resources(workload),
        "startupProbe": startup_probe(workload),
        "readinessProbe": readiness_probe(),
        "livenessProbe": liveness_probe(workload),
        "volumeMounts": [
            {"name": state, "mountPath": STATE_PATH},
            {"name": "temporary", "mountPath": TEMPORARY_PATH},
        ],
    }
    pull = {"imagePullSecrets": [{"name": workload.pull_secret}]} if workload.pull_secret else {}
    return {
        **pull,
        # Nothing in the pod asks the cluster for anything.
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_S,
        "securityContext": pod_security(),
        "containers": [container],
        "volumes": [{"name": state, **source}, {"name": "temporary", "emptyDir": {}}],
    }


def _service(workload: Workload) -> dict[str, Any]:
    ports = [{"name": "http", "port": SERVICE_PORT, "targetPort": "http", "protocol": "TCP"}]
    return _object("v1", "Service", workload, {"selector": _selector(workload), "ports": ports})


def _autoscaler(workload: Workload) -> dict[str, Any]:
    busy = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": BUSY_PERCENT}}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload.name},
        "minReplicas": workload.low,
        "maxReplicas": workload.high,
        "metrics": [{"type": "Resource", "resource": busy}],
    }
    return _object("autoscaling/v2", "HorizontalPodAutoscaler", workload, spec)


def _disruption_budget(workload: Workload) -> dict[str, Any]:
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": _selector(workload)}}
    return _object("policy/v1", "PodDisruptionBudget", workload, spec)
