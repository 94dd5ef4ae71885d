"""Explains what the API of a cluster has refused, and what to do about it."""

from __future__ import annotations

import httpx

from ...errors import ClusterError
from .kubeconfig import Connection

CONFLICT = 409


class ConflictError(ClusterError):
    """Says that an object has changed meanwhile, or is there already."""


def explain(answer: httpx.Response, said: str, to: Connection) -> ClusterError:
    """Returns the error for an answer to a request for `said`.

    Every refusal is a Status object (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/);
    of one about a Secret only the reason is told, since the message may quote what was sent.
    """
    reason, message = _status(answer)
    where = f"the cluster of context {to.context} refused {said} in namespace {to.namespace}"
    told = f"{where}: {reason}" if said.startswith("Secret ") and answer.status_code == 422 else f"{where}: {message}"
    kind = ConflictError if answer.status_code == CONFLICT else ClusterError
    return kind(told, hint=_hint(answer.status_code, message, to))


def _status(answer: httpx.Response) -> tuple[str, str]:
    try:
        data = answer.json()
        return str(data.get("reason") or answer.status_code), str(data["message"])
    except (ValueError, LookupError, TypeError, AttributeError):
        return f"HTTP {answer.status_code}", f"HTTP {answer.status_code}"


def _hint(status: int, message: str, to: Connection) -> str | None:
    kubectl = f"kubectl --context {to.context}"
    if status == 401:
        return f"log in as for kubectl; {kubectl} get pods shows whether it works"
    if status == 404 and f'namespaces "{to.namespace}" not found' in message:
        return f"{kubectl} create namespace {to.namespace}"
    if "exceeded quota" in message:
        return f"{kubectl} describe quota --namespace {to.namespace}"
    return explain_rights(to) if status == 403 else None


def explain_rights(to: Connection) -> str:
    return (
        f"kubectl --context {to.context} auth can-i --list --namespace {to.namespace} shows what you may; homeport "
        "needs deployments, services, secrets, configmaps, horizontalpodautoscalers and poddisruptionbudgets, "
        "patches replicasets, and reads pods and pods/log: the role edit has all of it"
    )
