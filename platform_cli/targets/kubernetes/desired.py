"""Makes the objects of a release: those that run its image, with labels and annotations that say what it is."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import time
from dataclasses import dataclass, replace

from ...images.model import Image
from ...kubernetes.objects import plain_objects
from ...kubernetes.workload import Workload
from ...origin import Origin
from .cluster import Object
from .names import BUNDLE, DESIRED, FOLDER, HOST, ISSUER, MADE_AT, ORIGIN, PROJECT, REASON, RELEASE

# The seconds that a rollout may stand still, beside those in which the server may start: nodes pull the image, and a
# cluster may have to add a node first.
STANDSTILL_S = 300


@dataclass(frozen=True, slots=True)
class Desired:
    """Is what a project shall be on a cluster: `workload`, made of the `bundle` from the folder `place`.

    `named` means that somebody chose its name. `host` is the project's own host name, None without one. With
    `has_token` homeport makes the token that callers need. They sign in at `issuer`, None where they do not.
    """

    workload: Workload
    image: Image
    bundle: str
    place: str
    named: bool
    host: str | None
    has_token: bool
    issuer: str | None = None

    @property
    def project(self) -> str:
        return self.workload.name

    @property
    def hash(self) -> str:
        """Returns the hash of all that matters, without the values of secrets and their versions."""
        text = json.dumps([plain_objects(self.workload), self.bundle, self.host], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def objects(self, number: int, secrets: str, reason: str, origin: Origin) -> dict[str, Object]:
        """Returns the objects of release `number` by kind; its secrets are those in the Secret `secrets`."""
        objects = {each["kind"]: each for each in plain_objects(replace(self.workload, secrets_name=secrets))}
        for each in objects.values():
            each["metadata"]["labels"][PROJECT] = self.project
        deployment = objects["Deployment"]
        deployment["metadata"]["annotations"] = {FOLDER: self.place, **({HOST: self.host} if self.host else {})}
        deployment["spec"]["progressDeadlineSeconds"] = math.ceil(self.workload.start_timeout_s) + STANDSTILL_S
        template = deployment["spec"]["template"]
        template["metadata"]["labels"][PROJECT] = self.project
        said = {BUNDLE: self.bundle, DESIRED: self.hash, **({ISSUER: self.issuer} if self.issuer else {})}
        deployment["spec"]["template"] = as_release(
            {**template, "metadata": {**template["metadata"], "annotations": said}}, number, reason, origin
        )
        return objects


def as_release(template: Object, number: int, reason: str, origin: Origin) -> Object:
    """Returns a pod template as that of a new release."""
    made: Object = copy.deepcopy(template)
    said = {
        RELEASE: str(number),
        MADE_AT: f"{time.time():.3f}",
        REASON: reason,
        ORIGIN: json.dumps({key: value for key, value in origin.data().items() if value is not None and key != "path"}),
    }
    made["metadata"]["annotations"] = {**made["metadata"].get("annotations", {}), **said}
    container = made["spec"]["containers"][0]
    own = {"HOMEPORT_PROJECT": made["metadata"]["labels"][PROJECT], "HOMEPORT_RELEASE": f"v{number}"}
    others = [each for each in container["env"] if each["name"] not in own]
    container["env"] = [*others, *({"name": name, "value": value} for name, value in own.items())]
    return made


def with_template(deployment: Object, template: Object) -> Object:
    """Returns what has to be applied so that a Deployment that is there has another pod template, and all else of what
    homeport has said of it stays.
    """
    spec, metadata = deployment["spec"], deployment["metadata"]
    keys = ["revisionHistoryLimit", "progressDeadlineSeconds", "strategy", "selector"]
    if owns_replicas(deployment):
        keys.append("replicas")
    said = {name: text for name, text in (metadata.get("annotations") or {}).items() if name in (FOLDER, HOST)}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": metadata["name"], "labels": metadata["labels"], "annotations": said},
        "spec": {**{key: spec[key] for key in keys if key in spec}, "template": template},
    }


def with_replicas(wanted: Object, deployment: Object | None) -> Object:
    """Returns a Deployment `wanted` whose pods an autoscaler shall count, with as many as there are while it has not:
    what was applied before, and is not any more, the cluster sets to its default, which is one pod.
    """
    if "replicas" in wanted["spec"] or deployment is None or not owns_replicas(deployment):
        return wanted
    return {**wanted, "spec": {**wanted["spec"], "replicas": deployment["spec"]["replicas"]}}


def owns_replicas(deployment: Object) -> bool:
    """Tells whether homeport has said how many pods there are, and no autoscaler."""
    return any(
        each["manager"] == "homeport" and "f:replicas" in each.get("fieldsV1", {}).get("f:spec", {})
        for each in deployment["metadata"].get("managedFields") or ()
    )
