"""Makes the parts of a pod that a Deployment and an MCPServer describe in the same words.

The security contexts are those of the restricted Pod Security Standard
(https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted).
"""

from __future__ import annotations

import math
from typing import Any

from ..images.places import PORT, UID, WORK
from .workload import RELAY_KEY, TOKEN_KEY, Workload

HEALTH = "/health"
# The seconds for which a pod goes on accepting when it is told to end, since proxies need a moment to hear of it.
DRAIN_DELAY_S = 5
# The seconds that its requests have then, and a few more to end.
GRACE_S = DRAIN_DELAY_S + 35
PROBE_S = 10
# What a server needs before anybody calls it; the limit is the project's own.
CPU, MEMORY_MB = "100m", 256


def environment(workload: Workload) -> list[dict[str, Any]]:
    """Returns the variables: secrets by reference, never by value."""
    variables: list[dict[str, Any]] = [{"name": "HOMEPORT_DRAIN_DELAY_S", "value": str(DRAIN_DELAY_S)}]
    if not workload.is_open:
        token = _from_secret(workload.token_name, TOKEN_KEY)
        if workload.guards_itself:
            # The image itself refuses to start if neither a token nor the server's own code checks callers.
            token["secretKeyRef"]["optional"] = True
        variables.append({"name": "HOMEPORT_TOKEN_HASH", "valueFrom": token})
    # Without it only the pod with a stream of HTTP+SSE takes its messages.
    relay = _from_secret(workload.relay_name, RELAY_KEY)
    relay["secretKeyRef"]["optional"] = True
    variables.append({"name": "HOMEPORT_RELAY_KEY", "valueFrom": relay})
    own = [{"name": name, "valueFrom": _from_secret(workload.secrets_name, name)} for name in workload.secrets]
    return [*variables, *own]


def _from_secret(name: str, key: str) -> dict[str, Any]:
    return {"secretKeyRef": {"name": name, "key": key}}


def pod_security() -> dict[str, Any]:
    """Returns the pod's security context; its volumes belong to the group `fsGroup`, so that any user may write."""
    return {
        "runAsNonRoot": True,
        "runAsUser": UID,
        "runAsGroup": 0,
        "fsGroup": UID,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> dict[str, Any]:
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def resources(workload: Workload) -> dict[str, Any]:
    return {
        "requests": {"cpu": CPU, "memory": f"{min(MEMORY_MB, workload.memory_mb)}Mi"},
        "limits": {"memory": f"{workload.memory_mb}Mi"},
    }


def startup_probe(workload: Workload) -> dict[str, Any]:
    return {**_asks(), "periodSeconds": 1, "failureThreshold": math.ceil(workload.start_timeout_s)}


def readiness_probe() -> dict[str, Any]:
    return {**_asks(), "periodSeconds": 5}


def liveness_probe(workload: Workload, delay_s: int = 0) -> dict[str, Any]:
    """Returns the probe that replaces a server which gives no sign of life; it starts after `delay_s` seconds."""
    failures = max(math.ceil(workload.unresponsive_s / PROBE_S), 1)
    delay = {"initialDelaySeconds": delay_s} if delay_s else {}
    return {**_asks(), **delay, "periodSeconds": PROBE_S, "failureThreshold": failures}


def _asks() -> dict[str, Any]:
    return {"httpGet": {"path": HEALTH, "port": PORT}, "timeoutSeconds": PROBE_S}


# The paths that the server may write, in a container whose root is read-only.
STATE_PATH, TEMPORARY_PATH = f"/{WORK}", "/tmp"  # noqa: S108 - a volume of the pod's own
