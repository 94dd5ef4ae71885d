"""Tests how a rollout is waited for, with what a cluster says of a Deployment one time after the other."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from platform_cli.errors import ReleaseError
from platform_cli.targets.kubernetes import rollout
from platform_cli.targets.kubernetes.cluster import Cluster, Object
from platform_cli.targets.kubernetes.kubeconfig import ClusterLogin, Connection
from platform_cli.targets.kubernetes.names import PROJECT
from platform_cli.targets.kubernetes.rollout import Rollout

GAVE_UP = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}


class Scripted(Cluster):
    """Says of the Deployment what it is given, the last of it again and again; there are no pods."""

    def __init__(self, *said: Object) -> None:
        super().__init__(Connection("here", "https://cluster.test", "team", ClusterLogin()))
        self._said = list(said)

    def get(self, _kind: str, _name: str) -> Object:
        return self._said.pop(0) if len(self._said) > 1 else self._said[0]

    def list(self, _kind: str, _labels: Mapping[str, str]) -> list[Object]:
        return []


def deployment(seen: int, ready: int, *conditions: Object) -> Object:
    """Returns one that was changed for the second time, of which the cluster has seen the change `seen`."""
    pods = {"replicas": 1, "updatedReplicas": 1, "availableReplicas": ready}
    template = {"metadata": {}, "spec": {"containers": [{"image": "registry.test/notes:1"}]}}
    return {
        "metadata": {"name": "notes", "uid": "1", "generation": 2, "labels": {PROJECT: "notes"}},
        "spec": {"replicas": 1, "template": template},
        "status": {"observedGeneration": seen, "conditions": list(conditions), **pods},
    }


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "POLL_S", 0.0)


def wait(*said: Object) -> None:
    Rollout(Scripted(*said), said[0], lambda _note: None).wait()


def test_what_became_of_the_release_before_says_nothing_of_this_one() -> None:
    """A deploy that was killed leaves a Deployment on which the cluster may have given up."""
    wait(deployment(1, 0, GAVE_UP), deployment(2, 0), deployment(2, 1))


def test_the_clusters_own_word_ends_the_wait() -> None:
    with pytest.raises(ReleaseError, match="0 of 1 pods are ready"):
        wait(deployment(1, 0, GAVE_UP), deployment(2, 0, GAVE_UP))
