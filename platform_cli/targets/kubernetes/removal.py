"""Removes a project from a cluster, and nothing that is not homeport's."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ...kubernetes.pod import GRACE_S
from ..base import Removal
from .cluster import Cluster, Object
from .live import Live
from .names import PROJECT, is_ours
from .planner import COUNTING

POLL_S = 0.5
# The seconds that pods may take to end, since their requests may.
END_S = GRACE_S + 20
# What leads to others comes last, so that another removal finishes one that was killed.
KINDS = (*COUNTING, "Service", "Secret", "Deployment")


@dataclass(frozen=True, slots=True)
class Found:
    """Holds the objects of a project that homeport has made, by kind in the order of their removal, and the names of
    those that have a name of the project's and are not homeport's.
    """

    ours: tuple[tuple[str, Object], ...]
    foreign: tuple[str, ...]

    @property
    def has_deployment(self) -> bool:
        return any(kind == "Deployment" for kind, _ in self.ours)

    def removal(self, live: Live) -> Removal:
        releases = f" with its {len(live.releases)} releases" if len(live.releases) > 1 else ""
        gone = [
            f"{kind} {each['metadata']['name']}" + (releases if kind == "Deployment" else "")
            for kind, each in self.ours
        ]
        volumes = live.active.template["spec"].get("volumes") or () if live.active else ()
        claims = [claim["claimName"] for volume in volumes if (claim := volume.get("persistentVolumeClaim"))]
        images = [f"its images in {live.active.image.partition('@')[0]}"] if live.active else []
        return Removal(tuple(gone), (*self.foreign, *(f"PersistentVolumeClaim {name}" for name in claims), *images))


def find_all(cluster: Cluster, project: str) -> Found:
    ours: list[tuple[str, Object]] = []
    foreign: list[str] = []
    for kind in KINDS:
        if kind in COUNTING and not cluster.serves(kind):
            continue
        ours += [(kind, each) for each in cluster.list(kind, {PROJECT: project})]
        named = cluster.get(kind, project) if kind != "Secret" else None
        if named is not None and not is_ours(named, project):
            foreign.append(f"{kind} {project} (without the label {PROJECT}={project})")
    return Found(tuple(ours), tuple(foreign))


def remove_all(cluster: Cluster, project: str, found: Found) -> None:
    """Returns when the objects are gone, and what they own too unless its end takes too long."""
    for kind, each in found.ours:
        cluster.delete(kind, each)
    end = time.monotonic() + END_S
    while any(cluster.list(kind, {PROJECT: project}) for kind in ("ReplicaSet", "Pod")) and time.monotonic() < end:
        time.sleep(POLL_S)
