"""Waits until a Deployment's pods are those of its release and ready, or says why they do not become it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ...config.image_reference import parse_reference
from ...errors import NotFoundError, ReleaseError
from ...kubernetes.pod import GRACE_S
from ..base import Note
from .cluster import Cluster, Object
from .live import identity_of, pods_of
from .names import PROJECT
from .stalls import Stall, Stalls

POLL_S = 0.5
# The seconds for which pods may be missing because of a quota: those that end count until they have.
QUOTA_S = GRACE_S + 20


class OvertakenError(ReleaseError):
    """Says that another deploy has given the Deployment another release."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts the pods of a Deployment: those `wanted`, those of its own template, those `ready`, and all of them."""

    wanted: int
    updated: int
    ready: int
    all: int
    is_seen: bool

    @classmethod
    def of(cls, deployment: Object) -> Counts:
        status = deployment.get("status", {})
        return cls(
            wanted=deployment["spec"].get("replicas", 1),
            updated=status.get("updatedReplicas", 0),
            ready=status.get("availableReplicas", 0),
            all=status.get("replicas", 0),
            is_seen=status.get("observedGeneration", 0) >= deployment["metadata"]["generation"],
        )

    @property
    def are_complete(self) -> bool:
        """Tells whether all pods are of the template and ready (kubectl's rollout_status.go)."""
        return self.is_seen and self.updated >= self.wanted and self.all == self.updated and self.ready >= self.updated


class Rollout:
    """Waits for the rollout of `applied`, a Deployment as the cluster has answered when it was changed.

    `note` gets what holds it up while waiting may still help.
    """

    def __init__(self, cluster: Cluster, applied: Object, note: Note) -> None:
        self._cluster = cluster
        self._name = applied["metadata"]["name"]
        self._project = applied["metadata"]["labels"][PROJECT]
        self._identity = identity_of(applied)
        self._note = note
        self._noted = ""
        image = applied["spec"]["template"]["spec"]["containers"][0]["image"]
        self._stalls = Stalls(cluster, parse_reference(image).registry)

    def wait(self) -> None:
        """Returns when the release serves with all of its pods.

        Raises ReleaseError with the reason if it will not, OvertakenError if another one has its place.
        """
        held_since: float | None = None
        while True:
            deployment = self._read()
            counts = Counts.of(deployment)
            if counts.are_complete:
                return
            # Until the cluster has seen the change, what it says is of the release before.
            if counts.is_seen:
                stall = self._stalls.find(deployment, pods_of(self._cluster, deployment, self._project))
                held_since = (held_since or time.monotonic()) if stall else None
                if stall is not None and held_since is not None:
                    self._judge(stall, deployment, time.monotonic() - held_since)
                elif _is_over(deployment):
                    raise ReleaseError(self._standstill(counts), hint=f"homeport logs {self._name} --target kubernetes")
            time.sleep(POLL_S)

    def _read(self) -> Object:
        deployment = self._cluster.get("Deployment", self._name)
        if deployment is None:
            raise NotFoundError(f"somebody has deleted the Deployment {self._name} meanwhile")
        if identity_of(deployment) != self._identity:
            raise OvertakenError(
                f"another deploy has given {self._name} another release meanwhile",
                hint=f"homeport versions {self._name} --target kubernetes",
            )
        return deployment

    def _judge(self, stall: Stall, deployment: Object, held_s: float) -> None:
        by_quota = held_s > QUOTA_S and "exceeded quota" in stall.reason
        if stall.final or by_quota or _is_over(deployment):
            raise ReleaseError(stall.reason, hint=stall.hint)
        if stall.reason != self._noted:
            self._noted = stall.reason
            self._note(f"waiting: {stall.reason}")

    @staticmethod
    def _standstill(counts: Counts) -> str:
        return f"{counts.ready} of {counts.wanted} pods are ready, and for long there was no progress"


def _is_over(deployment: Object) -> bool:
    """Tells whether the cluster itself has given up on the rollout (progressDeadlineSeconds)."""
    conditions = deployment.get("status", {}).get("conditions") or ()
    return any(
        each["type"] == "Progressing" and each.get("reason") == "ProgressDeadlineExceeded"
        for each in conditions
        if each["status"] == "False"
    )
