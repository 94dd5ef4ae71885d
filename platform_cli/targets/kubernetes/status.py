"""Describes a project on a cluster as the API does."""

from __future__ import annotations

import socket
from typing import Any, Literal
from urllib.parse import urlsplit

from ...api.status import Addresses, Status
from ...config.image_reference import parse_reference
from .cluster import Cluster
from .live import Live, pods_of
from .names import FOLDER, HOST
from .rollout import Counts
from .secrets import ProjectSecrets, has_other_values
from .stalls import Stalls

_MEGABYTES = {"Ki": 1 / 1024, "Mi": 1, "Gi": 1024}


def urls_of(cluster: Cluster, project: str, host: str | None) -> Addresses:
    """Returns the URLs under the project's own name, else those that the cluster's own DNS knows
    (https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/).
    """
    url = f"https://{host}" if host else f"http://{project}.{cluster.namespace}.svc"
    return {"url": url, "local_url": url, "mcp_url": f"{url}/mcp", "sse_url": f"{url}/sse"}


def is_known(url: str) -> bool:
    """Tells whether this machine knows the host of a URL, as it does within the cluster."""
    try:
        return bool(socket.getaddrinfo(urlsplit(url).hostname, None))
    except OSError:
        return False


def status_of(cluster: Cluster, project: str, live: Live) -> Status:
    """Returns the status as far as it needs no question for this project alone."""
    active, counts = live.active, Counts.of(live.deployment or {"spec": {}, "metadata": {"generation": 0}})
    auth: Literal["token", "oauth", "none"] | None = None
    if active:
        auth = "oauth" if active.issuer else "token" if active.secret_of("HOMEPORT_TOKEN_HASH") else "none"
    return {
        **urls_of(cluster, project, live.said(HOST)),
        "project": project,
        "release": f"v{active.number}" if active else None,
        "bundle": active.bundle if active else None,
        "image": active.image if active else None,
        "published": None,
        "state": _state(counts),
        "target": "kubernetes",
        "workers": counts.ready,
        "processes": [],
        "last_error": None,
        "auth": auth,
        "user": None,
        "confined": None,
        "folder": live.said(FOLDER),
        "deployed_at": active.made_at if active else None,
        "outdated_secrets": None,
        "memory_mb": _memory(active.container) if active else None,
        "architecture": None,
        "instances": None,
        "hand_made": [],
        "cost": None,
        "front": None,
        "open_errors": None,
    }


def whole_status(cluster: Cluster, project: str, live: Live) -> Status:
    """Returns the status with what is wrong now, and with the secrets that have newer values."""
    status = status_of(cluster, project, live)
    secrets = ProjectSecrets(cluster, project)
    used = live.active.secrets(secrets.prefix) if live.active else {}
    if used:
        documents = secrets.documents()
        now = next(reversed(documents.values()), None)
        status["outdated_secrets"] = has_other_values(documents, used, now)
    if live.deployment is not None and live.active and not Counts.of(live.deployment).are_complete:
        stalls = Stalls(cluster, parse_reference(live.active.image).registry)
        stall = stalls.find(live.deployment, pods_of(cluster, live.deployment, project))
        status["last_error"] = stall.reason if stall else None
    return status


def _state(counts: Counts) -> str:
    if counts.wanted == 0:
        return "scaled to 0"
    if counts.are_complete:
        return "serving"
    return f"{counts.ready} of {counts.wanted} pods ready"


def _memory(container: Any) -> int | None:
    text = (container.get("resources", {}).get("limits") or {}).get("memory", "")
    unit = _MEGABYTES.get(text[-2:])
    return int(float(text[:-2]) * unit) if unit else None
