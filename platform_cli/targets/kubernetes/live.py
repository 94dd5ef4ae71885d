"""Reads what a project has on a cluster: its Deployment, and the releases that the ReplicaSets of that are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ...errors import InputError
from ...origin import Origin
from .cluster import Cluster, Object
from .names import (
    BUNDLE,
    DESIRED,
    ERROR,
    ISSUER,
    MADE_AT,
    ORIGIN,
    PROJECT,
    REASON,
    RELEASE,
    RESTARTED_AT,
    annotations_of,
    in_kubectl,
    is_ours,
)

# The label by which a Deployment knows the ReplicaSets of its templates.
TEMPLATE_HASH = "pod-template-hash"
# The number of a Deployment's template, and of the ReplicaSet that is made of it.
REVISION = "deployment.kubernetes.io/revision"


@dataclass(frozen=True, slots=True)
class Release:
    """Is one release: the ReplicaSet `replica_set`, and the pod `template` that makes it."""

    number: int
    replica_set: Object
    template: Object

    @property
    def bundle(self) -> str:
        return self._said.get(BUNDLE, "")

    @property
    def desired(self) -> str:
        return self._said.get(DESIRED, "")

    @property
    def issuer(self) -> str | None:
        """Returns the authorization server at which callers sign in, None where they do not."""
        return self._said.get(ISSUER)

    @property
    def made_at(self) -> float:
        return float(self._said.get(MADE_AT, 0))

    @property
    def reason(self) -> str:
        return self._said.get(REASON, "deploy")

    @property
    def error(self) -> str | None:
        return annotations_of(self.replica_set).get(ERROR)

    @property
    def origin(self) -> Origin:
        return Origin(**json.loads(self._said.get(ORIGIN, "{}")))

    @property
    def image(self) -> str:
        image: str = self.container["image"]
        return image

    @property
    def container(self) -> Object:
        container: Object = self.template["spec"]["containers"][0]
        return container

    def secret_of(self, variable: str) -> str | None:
        """Returns the Secret from which the pods have this variable, None if they do not have it from one."""
        return next((name for found, name in self._from_secrets() if found == variable), None)

    def secrets(self, prefix: str) -> dict[str, str]:
        """Returns the variables that come from a Secret whose name begins with `prefix`, and that Secret."""
        return {variable: name for variable, name in self._from_secrets() if name.startswith(prefix)}

    def _from_secrets(self) -> Iterator[tuple[str, str]]:
        for variable in self.container.get("env") or ():
            if reference := (variable.get("valueFrom") or {}).get("secretKeyRef"):
                yield variable["name"], reference["name"]

    @property
    def _said(self) -> Mapping[str, str]:
        return annotations_of(self.template)


@dataclass(frozen=True, slots=True)
class Live:
    """Is what a project has: its `deployment`, None before the first, and its `releases`, the oldest first."""

    deployment: Object | None
    releases: tuple[Release, ...]

    @property
    def active(self) -> Release | None:
        """Returns the release that the Deployment has, whether or not all of its pods are ready."""
        if self.deployment is None:
            return None
        number = annotations_of(self.deployment["spec"]["template"]).get(RELEASE)
        return next((release for release in self.releases if str(release.number) == number), None)

    @property
    def next_number(self) -> int:
        said = annotations_of(self.deployment["spec"]["template"]).get(RELEASE, "0") if self.deployment else "0"
        return max([int(said), *(release.number for release in self.releases)]) + 1

    def said(self, annotation: str) -> str | None:
        return annotations_of(self.deployment).get(annotation) if self.deployment else None


def read_live(cluster: Cluster, project: str) -> Live:
    """Returns what the project has.

    Raises InputError for a Deployment of this name that homeport did not make.
    """
    deployment = cluster.get("Deployment", project)
    if deployment is None:
        return Live(None, ())
    check_ours(cluster, deployment, "Deployment", project)
    return Live(deployment, tuple(_releases(cluster, deployment, project)))


def check_ours(cluster: Cluster, there: Object, kind: str, project: str) -> None:
    """Raises InputError if homeport did not make the object `there`."""
    if is_ours(there, project):
        return
    name = there["metadata"]["name"]
    kubectl = in_kubectl(cluster.connection.context, cluster.namespace)
    raise InputError(
        f"{kind} {name} in namespace {cluster.namespace} is not homeport's: it has no label {PROJECT}={project}",
        hint=f"deploy under another name (--name), or first remove it: {kubectl} delete {kind.lower()} {name}",
    )


def _releases(cluster: Cluster, deployment: Object, project: str) -> Iterator[Release]:
    """Yields the releases, the oldest first, each with the newest of its ReplicaSets."""
    found: dict[int, Object] = {}
    for each in sorted(replica_sets(cluster, deployment, project), key=revision_of):
        said = annotations_of(each["spec"]["template"]).get(RELEASE, "")
        if said.isdecimal():
            found[int(said)] = each
    for number, replica_set in sorted(found.items()):
        yield Release(number, replica_set, template_of(replica_set))


def replica_sets(cluster: Cluster, deployment: Object, project: str) -> list[Object]:
    """Returns the ReplicaSets of a Deployment, in any order."""
    uid = deployment["metadata"]["uid"]
    return [
        each
        for each in cluster.list("ReplicaSet", {PROJECT: project})
        if any(owner["uid"] == uid for owner in each["metadata"].get("ownerReferences") or ())
    ]


def pods_of(cluster: Cluster, deployment: Object, project: str) -> list[Object]:
    """Returns the pods of a Deployment's present template."""
    sets = replica_sets(cluster, deployment, project)
    owners = {each["metadata"]["uid"] for each in sets if identity_of(each) == identity_of(deployment)}
    return [
        pod
        for pod in cluster.list("Pod", {PROJECT: project})
        if any(owner["uid"] in owners for owner in pod["metadata"].get("ownerReferences") or ())
    ]


def identity_of(there: Object) -> tuple[str, ...]:
    """Returns by which the templates of a Deployment, and the ReplicaSets of them, are told from each other."""
    said = annotations_of(there["spec"]["template"])
    return tuple(said.get(name, "") for name in (RELEASE, MADE_AT, RESTARTED_AT))


def revision_of(there: Object) -> int:
    return int(annotations_of(there).get(REVISION, "0"))


def template_of(replica_set: Object) -> Object:
    """Returns the pod template of a Deployment from which it makes this ReplicaSet."""
    template = bare(replica_set["spec"]["template"])
    template["metadata"]["labels"].pop(TEMPLATE_HASH, None)
    return template


def bare(template: Object) -> Object:
    """Returns a pod template as it was applied, without what only the API says of it."""
    metadata = template["metadata"]
    kept = {"labels": dict(metadata["labels"]), "annotations": dict(metadata.get("annotations") or {})}
    return {"metadata": kept, "spec": template["spec"]}
