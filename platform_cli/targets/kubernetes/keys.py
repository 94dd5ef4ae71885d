"""Keeps the two keys of a project in Secrets: the hash of the token that callers need, and the key of its relay."""

from __future__ import annotations

import base64
import secrets

from ...bearer import hash_of, make_token
from ...kubernetes.workload import RELAY_KEY, TOKEN_KEY, Workload
from .cluster import Cluster, Object
from .live import check_ours
from .secrets import labels

RELAY_BYTES = 32


def make_keys(cluster: Cluster, workload: Workload, *, has_token: bool) -> str | None:
    """Makes the keys that are not there, and returns the bearer token if one was made."""
    if cluster.get("Secret", workload.relay_name) is None:
        cluster.create(_secret(workload.name, workload.relay_name, RELAY_KEY, secrets.token_hex(RELAY_BYTES)))
    if not has_token or cluster.get("Secret", workload.token_name) is not None:
        return None
    return renew_token(cluster, workload.name, workload.token_name)


def renew_token(cluster: Cluster, project: str, name: str) -> str:
    """Replaces the token, and returns the new one; pods that have started know the one that they started with."""
    token = make_token()
    there = cluster.get("Secret", name)
    if there is not None:
        check_ours(cluster, there, "Secret", project)
    cluster.apply(_secret(project, name, TOKEN_KEY, hash_of(token)))
    return token


def _secret(project: str, name: str, key: str, value: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": labels(project)},
        "data": {key: base64.b64encode(value.encode()).decode()},
    }
