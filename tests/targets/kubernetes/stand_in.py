"""Stands in for a cluster: an HTTP server that speaks the API's few calls, and answers to a Deployment as told.

It stores what it is sent as the real API server does as far as homeport looks (uid, resourceVersion, generation,
managedFields), and a Deployment has its ReplicaSets and pods at once, in the state that `outcome` says. The real
control plane is `make kubernetes`.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .kubelet import lead

Object = dict[str, Any]

KINDS = {
    "deployments": "Deployment",
    "replicasets": "ReplicaSet",
    "pods": "Pod",
    "services": "Service",
    "secrets": "Secret",
    "configmaps": "ConfigMap",
    "horizontalpodautoscalers": "HorizontalPodAutoscaler",
    "poddisruptionbudgets": "PodDisruptionBudget",
}
PATH = re.compile(r"/(?:api/v1|apis/([a-z.0-9]+)/v\d)/namespaces/([^/]+)/([a-z]+)(?:/([^/]+))?(/log|/portforward)?")
REVISION = "deployment.kubernetes.io/revision"
TOKEN = "login of the stand-in"
READY: Object = {"phase": "Running", "containerStatuses": [{"name": "server", "restartCount": 0, "ready": True}]}


def waits(reason: str, message: str = "", restarts: int = 0, last: Object | None = None) -> Object:
    """Returns the status of a pod whose container waits."""
    state = {"waiting": {"reason": reason, "message": message}}
    return {
        "phase": "Pending",
        "containerStatuses": [
            {"name": "server", "restartCount": restarts, "state": state, "lastState": {"terminated": last or {}}}
        ],
    }


@dataclass
class StandIn:
    """Is the cluster at `address`.

    `outcome` returns the status of the pods of a template that was just applied; `conditions` are those of a Deployment
    whose pods are not ready. `refused` are the verbs and resources that nobody may, `absent` the groups that this
    version does not know, `log` what every pod has printed, `served` the port of this machine where every pod
    serves. `requests` are methods, paths and bodies so far.
    """

    address: str = ""
    outcome: Callable[[Object], Object] = lambda _template: READY
    conditions: list[Object] = field(default_factory=list)
    refused: set[tuple[str, str]] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    log: str = ""
    namespace: str = "team"
    served: int = 0
    objects: dict[tuple[str, str], Object] = field(default_factory=dict)
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    _version: int = 0

    def kubeconfig(self, folder: Path) -> Path:
        """Writes a kubeconfig for this cluster."""
        cluster = {"name": "here", "cluster": {"server": self.address}}
        user = {"name": "me", "user": {"token": TOKEN}}
        context = {"name": "here", "context": {"cluster": "here", "user": "me", "namespace": self.namespace}}
        data = {"clusters": [cluster], "users": [user], "contexts": [context], "current-context": "here"}
        (path := folder / "kubeconfig").write_text(json.dumps(data))
        return path

    def of_kind(self, kind: str) -> dict[str, Object]:
        return {name: each for (found, name), each in self.objects.items() if found == kind}

    def put(self, kind: str, name: str, labels: dict[str, str] | None = None) -> None:
        """Stores an object that somebody else has made."""
        self._store(kind, {"metadata": {"name": name, "labels": labels or {}}, "spec": {"replicas": 1}}, None)

    # What the API server does.

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if path == "/version":
            return 200, {"gitVersion": "v1.30.0"}
        if path.endswith("/selfsubjectaccessreviews"):
            asked = body["spec"]["resourceAttributes"]
            return 201, {"status": {"allowed": (asked["verb"], asked["resource"]) not in self.refused}}
        match = PATH.fullmatch(path)
        if match is None:
            return (404, _status(404, "NotFound", "not found")) if path.split("/")[2] in self.absent else (200, {})
        group, namespace, resource, name, part = match.groups()
        if group in self.absent:
            return 404, _status(404, "NotFound", "the server could not find the requested resource")
        if namespace != self.namespace:
            return 404, _status(404, "NotFound", f'namespaces "{namespace}" not found')
        if part == "/portforward":
            return 403, _status(403, "Forbidden", 'pods is forbidden: User "me" cannot get resource "pods/portforward"')
        if part:
            return 200, self.log if self.objects.get(("Pod", name)) else ""
        verb = {"GET": "get" if name else "list", "POST": "create"}.get(method, method.lower())
        if (verb, resource) in self.refused:
            reason = f'{resource} is forbidden: User "me" cannot {verb} resource "{resource}"'
            return 403, _status(403, "Forbidden", reason)
        return self._do(verb, KINDS[resource], name, query, body)

    def _do(self, verb: str, kind: str, name: str | None, query: dict[str, str], body: Any) -> tuple[int, Any]:
        there = self.objects.get((kind, name or body["metadata"]["name"] if body or name else ""))
        if verb == "list":
            wanted = dict(part.split("=") for part in query.get("labelSelector", "").split(",") if part)
            found = [
                each for each in self.of_kind(kind).values() if wanted.items() <= each["metadata"]["labels"].items()
            ]
            return 200, {"metadata": {}, "items": found}
        if verb == "create" and there:
            return 409, _status(409, "AlreadyExists", "it is there already")
        if verb == "create" or (verb == "patch" and "fieldManager" in query):
            return self._apply(kind, body, there, dry_run="dryRun" in query)
        if there is None:
            return 404, _status(404, "NotFound", f"{name} not found")
        if verb == "patch":
            _merge(there, body)
        if verb == "delete":
            if body["preconditions"]["uid"] != there["metadata"]["uid"]:
                return 409, _status(409, "Conflict", "another uid")
            self._delete(kind, there)
        return 200, there

    def _apply(self, kind: str, body: Object, there: Object | None, *, dry_run: bool) -> tuple[int, Any]:
        seen = body["metadata"].pop("resourceVersion", None)
        if seen is not None and (there is None or there["metadata"]["resourceVersion"] != seen):
            return 409, _status(409, "Conflict", "the object has been modified")
        if dry_run:
            return 200, body
        stored = self._store(kind, body, there)
        if kind == "Deployment":
            self._reconcile(stored)
        return 200, stored

    def _store(self, kind: str, body: Object, there: Object | None) -> Object:
        self._version += 1
        before: Object = there["metadata"] if there else {"uid": str(uuid.uuid4()), "generation": 0}
        is_changed = there is None or there.get("spec") != body.get("spec")
        owned: Object = {"f:spec": {f"f:{key}": {} for key in body.get("spec", {})}}
        metadata = {
            "labels": {},
            **body["metadata"],
            "uid": before["uid"],
            "generation": before["generation"] + (1 if is_changed else 0),
            "resourceVersion": str(self._version),
            "managedFields": [{"manager": "homeport", "operation": "Apply", "fieldsV1": owned}],
        }
        stored = {**body, "kind": kind, "metadata": metadata}
        if there and "status" in there:
            stored["status"] = there["status"]
        self.objects[kind, metadata["name"]] = stored
        return stored

    def _delete(self, kind: str, there: Object) -> None:
        """Deletes an object, and what it owns."""
        del self.objects[kind, there["metadata"]["name"]]
        for (other, _), each in list(self.objects.items()):
            owners = each["metadata"].get("ownerReferences", [])
            if any(owner["uid"] == there["metadata"]["uid"] for owner in owners) and each in self.objects.values():
                self._delete(other, each)

    # What the controllers and the kubelet do.

    def _reconcile(self, deployment: Object) -> None:
        template, wanted = deployment["spec"]["template"], deployment["spec"].get("replicas", 1)
        status = self.outcome(template)
        is_ready = status == READY
        own = self._replica_set(deployment, template)
        for each in self.of_kind("ReplicaSet").values():
            if each is own or is_ready:
                self._scale(each, wanted if each is own else 0, status)
        old = sum(each["spec"]["replicas"] for each in self.of_kind("ReplicaSet").values() if each is not own)
        deployment["status"] = {
            "observedGeneration": deployment["metadata"]["generation"],
            "replicas": wanted + old,
            "updatedReplicas": wanted,
            "availableReplicas": wanted if is_ready else 0,
            "conditions": [] if is_ready else self.conditions,
        }

    def _replica_set(self, deployment: Object, template: Object) -> Object:
        name = f"{deployment['metadata']['name']}-{hashlib.sha256(json.dumps(template).encode()).hexdigest()[:8]}"
        sets = self.of_kind("ReplicaSet")
        revision = 1 + max((int(each["metadata"]["annotations"][REVISION]) for each in sets.values()), default=0)
        own = sets.get(name)
        if own is None:
            labels = {**template["metadata"]["labels"], "pod-template-hash": name[-8:]}
            marked = {**template, "metadata": {**template["metadata"], "labels": labels}}
            owner = {"uid": deployment["metadata"]["uid"]}
            metadata = {"name": name, "labels": labels, "annotations": {}, "ownerReferences": [owner]}
            own = self._store("ReplicaSet", {"metadata": metadata, "spec": {"replicas": 0, "template": marked}}, None)
        own["metadata"]["annotations"][REVISION] = str(revision)
        return own

    def _scale(self, replica_set: Object, wanted: int, status: Object) -> None:
        replica_set["spec"]["replicas"] = wanted
        owner, template = replica_set["metadata"]["uid"], replica_set["spec"]["template"]
        pods = [
            name for name, pod in self.of_kind("Pod").items() if pod["metadata"]["ownerReferences"][0]["uid"] == owner
        ]
        for name in pods:
            del self.objects["Pod", name]
        for number in range(wanted):
            metadata = {
                **template["metadata"],
                "name": f"{replica_set['metadata']['name']}-{number}",
                "ownerReferences": [{"uid": owner}],
            }
            self._store("Pod", {"metadata": metadata, "spec": template["spec"]}, None)["status"] = status


def _merge(there: Object, changes: Object) -> None:
    """Changes an object as RFC 7396 says; nothing is removed so here."""
    for name, value in changes.items():
        if isinstance(value, dict):
            _merge(there.setdefault(name, {}), value)
        else:
            there[name] = value


def _status(code: int, reason: str, message: str) -> Object:
    return {"kind": "Status", "code": code, "reason": reason, "message": message}


def condition(kind: str, status: str, reason: str, message: str = "") -> Object:
    return {"type": kind, "status": status, "reason": reason, "message": message}


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """Runs a cluster without any objects."""
    cluster, one_at_a_time = StandIn(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            if "Upgrade" in self.headers and not self.is_refused():
                self.close_connection = True
                lead(self, cluster.served)
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            split = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(split.query).items()}
            with one_at_a_time:
                cluster.requests.append((self.command, self.path, body.decode()))
                if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                    status, answer = 401, _status(401, "Unauthorized", "Unauthorized")
                else:
                    status, answer = cluster.answer(self.command, split.path, query, json.loads(body or "null"))
                content = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Content-Type", "text/plain" if isinstance(answer, str) else "application/json")
            self.end_headers()
            self.wfile.write(content)

        def is_refused(self) -> bool:
            return ("get", "pods/portforward") in cluster.refused or self.headers["Authorization"] != f"Bearer {TOKEN}"

        do_GET = do_POST = do_PATCH = do_DELETE = respond  # noqa: N815 - the names are those of http.server

        def log_message(self, *_: object) -> None:
            """Keeps quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    cluster.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield cluster
    finally:
        server.shutdown()
        server.server_close()


def logged(*messages: str, level: str = "error", **more: Object) -> str:
    """Returns a log with records of the runtime's, which have `more`, as a cluster gives it with times."""
    start = int(time.time())
    return "".join(
        logged_line({"time": at, "level": level, "message": message, "release": "v1", **more}, at)
        for at, message in enumerate(messages, start)
    )


def logged_line(record: Object, at: float | None = None) -> str:
    """Returns a line that a pod has printed at `at`, as a cluster gives it with its time."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000000000Z", time.gmtime(at))
    return f"{stamp} {json.dumps(record, separators=(',', ':'))}\n"
