"""Makes the object from which the MCP lifecycle operator of Kubernetes SIG Apps runs a workload instead.

https://github.com/kubernetes-sigs/mcp-lifecycle-operator, api/v1alpha1/mcpserver_types.go.
"""

from __future__ import annotations

import math
from typing import Any

from ..images.places import PORT
from .objects import labels
from .pod import (
    STATE_PATH,
    TEMPORARY_PATH,
    container_security,
    environment,
    liveness_probe,
    pod_security,
    readiness_probe,
    resources,
)
from .workload import Workload


def operator_object(workload: Workload) -> dict[str, Any]:
    """Returns the MCPServer; the operator makes Deployment and Service of the same name."""
    # The operator has no probe for the start alone.
    liveness = liveness_probe(workload, delay_s=math.ceil(workload.start_timeout_s))
    writable = [
        {"path": path, "permissions": "ReadWrite", "source": {"type": "EmptyDir", "emptyDir": {}}}
        for path in (STATE_PATH, TEMPORARY_PATH)
    ]
    return {
        "apiVersion": "mcp.x-k8s.io/v1alpha1",
        "kind": "MCPServer",
        "metadata": {"name": workload.name, "labels": labels(workload)},
        "spec": {
            "source": {"type": "ContainerImage", "containerImage": {"ref": str(workload.image)}},
            "config": {"port": PORT, "path": "/mcp", "env": environment(workload), "storage": writable},
            "runtime": {
                "replicas": workload.low,
                "security": {"podSecurityContext": pod_security(), "securityContext": container_security()},
                "resources": resources(workload),
                "health": {"livenessProbe": liveness, "readinessProbe": readiness_probe()},
            },
            "mcp": {"stateless": not workload.has_sessions},
        },
    }
