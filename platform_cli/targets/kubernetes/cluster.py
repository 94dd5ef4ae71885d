"""Speaks to the API of a cluster, and says in words what went wrong.

https://kubernetes.io/docs/reference/using-api/api-concepts/

It is httpx rather than a client library: homeport's objects are data already, and of the small libraries none reads a
kubeconfig as kubectl does (several files, plugins that speak v1, plugins that answer with a certificate).
"""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, TypeAlias

import httpx

from ...errors import ClusterError
from .kubeconfig import Connection
from .login import ClientSettings, client_settings
from .refusals import ConflictError, explain

__all__ = ["Cluster", "ConflictError", "Object"]

# An object of the API, as JSON has it.
Object: TypeAlias = dict[str, Any]

FIELD_MANAGER = "homeport"
# How often a question is asked while an API server starts anew, and the seconds between.
ATTEMPTS, BETWEEN_S = 10, 1.0
TRANSIENT = (429, 500, 502, 503, 504)
# The number of objects of one answer of a list.
PAGE = 250
SWITCHING_PROTOCOLS, NOT_FOUND = 101, 404
# The answer for the log of a container that has not started.
NOT_YET = 400


@dataclass(frozen=True, slots=True)
class _Resource:
    api: str
    plural: str

    @property
    def path(self) -> str:
        return f"/api/{self.api}" if "/" not in self.api else f"/apis/{self.api}"


RESOURCES = {
    "Deployment": _Resource("apps/v1", "deployments"),
    "ReplicaSet": _Resource("apps/v1", "replicasets"),
    "Pod": _Resource("v1", "pods"),
    "Service": _Resource("v1", "services"),
    "Secret": _Resource("v1", "secrets"),
    "ConfigMap": _Resource("v1", "configmaps"),
    "HorizontalPodAutoscaler": _Resource("autoscaling/v2", "horizontalpodautoscalers"),
    "PodDisruptionBudget": _Resource("policy/v1", "poddisruptionbudgets"),
}


@dataclass(frozen=True, slots=True)
class _Sent:
    """Is what a request has beside its path: a query, and a body of the media type application/`kind`."""

    query: Mapping[str, str] = field(default_factory=dict)
    content: Object | None = None
    kind: str = "json"


class Connected(Protocol):
    """Is a connection whose protocol is another one by now (httpx's extension `network_stream`)."""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes: ...

    async def write(self, buffer: bytes, timeout: float | None = None) -> None: ...


class Cluster:
    """Is a namespace of a cluster.

    Every method raises ClusterError if the cluster cannot be reached or refuses, of which ConflictError is for an
    object that has changed meanwhile, or is there already.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.namespace = connection.namespace
        self._opened: httpx.Client | None = None
        self._has_answered = False

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()

    def get(self, kind: str, name: str) -> Object | None:
        answer = self._asked_for("GET", self._path(kind, name), f"{kind} {name}")
        return answer.json() if answer is not None else None

    def list(self, kind: str, labels: Mapping[str, str]) -> list[Object]:
        return list(self._pages(kind, ",".join(f"{name}={value}" for name, value in labels.items())))

    def _pages(self, kind: str, selector: str) -> Iterator[Object]:
        query = {"labelSelector": selector, "limit": str(PAGE)}
        while True:
            said = f"list of {RESOURCES[kind].plural}"
            answer = self._asked("GET", self._path(kind), said, _Sent(query)).json()
            yield from answer["items"]
            if not (more := answer["metadata"].get("continue")):
                return
            query["continue"] = more

    def apply(self, wanted: Object, *, dry_run: bool = False) -> Object:
        """Applies an object server-side: what homeport's objects no longer say is removed, what others say stays.

        With `dry_run` the cluster says what it would, and changes nothing.
        """
        kind, name = wanted["kind"], wanted["metadata"]["name"]
        query = {"fieldManager": FIELD_MANAGER, "force": "true", **({"dryRun": "All"} if dry_run else {})}
        # JSON is YAML.
        sent = _Sent(query, wanted, "apply-patch+yaml")
        applied: Object = self._asked("PATCH", self._path(kind, name), f"{kind} {name}", sent).json()
        return applied

    def annotate(self, kind: str, name: str, annotations: Mapping[str, str]) -> None:
        self.merge(kind, name, {"metadata": {"annotations": annotations}})

    def merge(self, kind: str, name: str, changes: Object) -> bool:
        """Changes these members of an object, and tells whether it is there."""
        sent = _Sent({}, changes, "merge-patch+json")
        return self._asked_for("PATCH", self._path(kind, name), f"{kind} {name}", sent) is not None

    def create(self, wanted: Object) -> None:
        said = f"{wanted['kind']} {wanted['metadata']['name']}"
        self._asked("POST", self._path(wanted["kind"]), said, _Sent({"fieldManager": FIELD_MANAGER}, wanted))

    def delete(self, kind: str, there: Object) -> None:
        """Deletes the object `there`, and after it what it owns, unless another one has its name by now."""
        name = there["metadata"]["name"]
        options = {"propagationPolicy": "Background", "preconditions": {"uid": there["metadata"]["uid"]}}
        self._asked_for("DELETE", self._path(kind, name), f"{kind} {name}", _Sent({}, options))

    def log(self, pod: str, query: Mapping[str, str]) -> str:
        """Returns what a pod's container has printed, empty if that is not there (any more)."""
        path = f"{self._path('Pod', pod)}/log"
        answer = self._asked_for("GET", path, f"log of {pod}", _Sent(query), (NOT_FOUND, NOT_YET))
        return answer.text if answer is not None else ""

    @asynccontextmanager
    async def upgraded(
        self, pod: str, part: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> AsyncIterator[Connected]:
        """Yields the connection to a part of a pod, once the cluster has agreed to another protocol on it."""
        async with AsyncExitStack() as stack:
            with self._explained():
                client = await stack.enter_async_context(httpx.AsyncClient(**self._settings))
                asked = client.stream(
                    "GET", f"{self._path('Pod', pod)}/{part}", params=dict(query), headers=dict(headers),
                    extensions=self._extensions,
                )  # fmt: skip
                answer = await stack.enter_async_context(asked)
                if answer.status_code != SWITCHING_PROTOCOLS:
                    await answer.aread()
                    raise explain(answer, f"{part} of {pod}", self.connection)
            yield answer.extensions["network_stream"]

    def serves(self, kind: str) -> bool:
        """Tells whether this cluster's version knows such objects."""
        return self._asked_for("GET", RESOURCES[kind].path, kind) is not None

    def may(self, verb: str, kind: str) -> bool:
        """Tells whether whoever logs in here may do so with objects of this kind."""
        resource = RESOURCES[kind]
        asked = {
            "namespace": self.namespace,
            "verb": verb,
            "group": resource.api.rpartition("/")[0],
            "resource": resource.plural,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        return bool(self._asked("POST", path, "review of rights", _Sent({}, review)).json()["status"]["allowed"])

    def version(self) -> str:
        said: str = self._asked("GET", "/version", "version").json()["gitVersion"]
        return said

    def _path(self, kind: str, name: str = "") -> str:
        resource = RESOURCES[kind]
        return f"{resource.path}/namespaces/{self.namespace}/{resource.plural}" + (f"/{name}" if name else "")

    def _asked(self, method: str, path: str, said: str, sent: _Sent | None = None) -> httpx.Response:
        """Returns the answer to a request for `said`."""
        return self._checked(self._send(method, path, sent or _Sent()), said)

    def _asked_for(
        self, method: str, path: str, said: str, sent: _Sent | None = None, missing: tuple[int, ...] = (NOT_FOUND,)
    ) -> httpx.Response | None:
        """Returns the answer, None if its status is one of `missing`, which say that there is nothing."""
        answer = self._send(method, path, sent or _Sent())
        return None if answer.status_code in missing else self._checked(answer, said)

    def _checked(self, answer: httpx.Response, said: str) -> httpx.Response:
        if answer.status_code >= 300:
            raise explain(answer, said, self.connection)
        return answer

    def _send(self, method: str, path: str, sent: _Sent) -> httpx.Response:
        with self._explained():
            answer = self._attempt(method, path, sent)
        self._has_answered = True
        return answer

    def _attempt(self, method: str, path: str, sent: _Sent) -> httpx.Response:
        """Asks several times if the cluster has answered before: whoever waits for pods asks for minutes."""
        headers = {"Content-Type": f"application/{sent.kind}"} if sent.content is not None else {}
        left = ATTEMPTS if method == "GET" and self._has_answered else 1
        while True:
            left -= 1
            try:
                query = dict(sent.query)
                answer = self._client.request(
                    method, path, params=query, json=sent.content, headers=headers, extensions=self._extensions
                )  # fmt: skip
            except httpx.TransportError:
                if not left:
                    raise
            else:
                if not left or answer.status_code not in TRANSIENT:
                    return answer
            time.sleep(BETWEEN_S)

    @property
    def _client(self) -> httpx.Client:
        if self._opened is None:
            self._opened = httpx.Client(**self._settings)
        return self._opened

    @cached_property
    def _settings(self) -> ClientSettings:
        return client_settings(self.connection)

    @property
    def _extensions(self) -> dict[str, str]:
        name = self.connection.server_name
        return {"sni_hostname": name} if name else {}

    @contextmanager
    def _explained(self) -> Iterator[None]:
        to = self.connection
        try:
            yield
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ssl.SSLError) as error:
            raise ClusterError(
                f"the cluster of context {to.context} cannot be reached at {to.server}: {error}",
                hint=f"kubectl --context {to.context} version",
            ) from None
