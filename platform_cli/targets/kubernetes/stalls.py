"""Finds out why the pods of a release do not become ready, in the pods' own words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ...records import read_record
from .cluster import Cluster, Object
from .names import in_kubectl

# The lines of a log that are shown where a server has said nothing as an error.
LINES = 8
TAIL = "50"
# How often a container may end before its server is said not to start.
ENDS = 2
# Why a container waits that will not start by waiting
# (https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/images/types.go, .../kuberuntime/).
IMAGE = ("ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName")
CONTAINER = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
CRASH = "CrashLoopBackOff"
PULL_FAILED = "ErrImagePull"


@dataclass(frozen=True, slots=True)
class Stall:
    """Says why a pod is not ready, and what to do; while it is not `final`, waiting may help."""

    reason: str
    hint: str
    final: bool


class Stalls:
    """Looks at the pods of a release again and again, and remembers what a pod says only now and then."""

    def __init__(self, cluster: Cluster, registry: str) -> None:
        self._cluster = cluster
        self._registry = registry
        self._pulls: dict[str, str] = {}

    def find(self, deployment: Object, pods: list[Object]) -> Stall | None:
        """Returns what holds up the rollout, first what will not end by itself."""
        found = sorted(self._find(deployment, pods), key=lambda stall: not stall.final)
        return found[0] if found else None

    def _find(self, deployment: Object, pods: list[Object]) -> Iterator[Stall]:
        kubectl = in_kubectl(self._cluster.connection.context, self._cluster.namespace)
        for pod in pods:
            yield from self._of_pod(pod, kubectl)
        conditions = {each["type"]: each for each in deployment.get("status", {}).get("conditions") or ()}
        failure = conditions.get("ReplicaFailure", {})
        if failure.get("status") == "True":
            said = failure.get("message", "")
            what = (
                "describe quota"
                if "exceeded quota" in said
                else f"describe deployment {deployment['metadata']['name']}"
            )
            yield Stall(f"no pod can be made: {said}", f"{kubectl} {what}", final=False)

    def _of_pod(self, pod: Object, kubectl: str) -> Iterator[Stall]:
        name, status = pod["metadata"]["name"], pod.get("status", {})
        describe = f"{kubectl} describe pod {name}"
        for condition in status.get("conditions") or ():
            if condition["type"] == "PodScheduled" and condition["status"] == "False":
                yield Stall(f"no node takes pod {name}: {condition.get('message', '')}", describe, final=False)
        for container in status.get("containerStatuses") or ():
            yield from self._of_container(name, container, describe)

    def _of_container(self, pod: str, container: Mapping[str, Object], describe: str) -> Iterator[Stall]:
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason, message = waiting.get("reason", ""), waiting.get("message", "")
        if reason == PULL_FAILED:
            self._pulls[pod] = message
        elif reason in IMAGE:
            said = self._pulls.get(pod) or message
            yield Stall(f"the node of pod {pod} cannot pull the image: {said}", self._pull_hint(), final=True)
        elif reason in CONTAINER:
            yield Stall(f"the container of pod {pod} cannot be made: {message or reason}", describe, final=True)
        elif reason == CRASH or int(str(container.get("restartCount", 0))) >= ENDS:
            yield Stall(*self._crash(pod, container), final=True)

    def _pull_hint(self) -> str:
        return (
            f"nodes need a way to {self._registry}, and a login if it wants one: kubectl create secret "
            'docker-registry, and pull_secret = "its name" under [deployment.kubernetes]'
        )

    def _crash(self, pod: str, container: Mapping[str, Object]) -> tuple[str, str]:
        ended = (container.get("lastState") or {}).get("terminated") or {}
        if ended.get("reason") == "OOMKilled":
            return f"the server in pod {pod} needs more memory than it may have", "raise memory_mb under [deployment]"
        # What ran last, whether or not there is another by now.
        words = self._last_words(pod, {"previous": "true"}) or self._last_words(pod, {})
        code = ended.get("exitCode")
        how = f" (exit code {code})" if code is not None else ""
        return f"the server in pod {pod} ends as soon as it starts{how}: {words}", "mend the server, and deploy again"

    def _last_words(self, pod: str, query: Mapping[str, str]) -> str:
        lines = self._cluster.log(pod, {"tailLines": TAIL, **query}).splitlines()
        records = [(line, read_record(line)) for line in lines]
        errors = [record["message"] for _, record in records if record is not None and record["level"] == "error"]
        return (
            errors[-1]
            if errors
            else "\n".join(record["message"] if record else line for line, record in records[-LINES:])
        )
