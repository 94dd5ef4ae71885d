"""Tests which changes of a Deployment by others a deploy goes on with, with a cluster that was changed meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

import pytest

from platform_cli.errors import BusyError, ClusterError, ReleaseError
from platform_cli.targets.kubernetes.cluster import Cluster, ConflictError, Object
from platform_cli.targets.kubernetes.desired import with_replicas
from platform_cli.targets.kubernetes.kubeconfig import ClusterLogin, Connection
from platform_cli.targets.kubernetes.live import Live
from platform_cli.targets.kubernetes.names import PROJECT, RELEASE
from platform_cli.targets.kubernetes.switch import switch


class Changed(Cluster):
    """Has the Deployment `there`, and makes one that is applied ready at once."""

    def __init__(self, there: Object) -> None:
        super().__init__(Connection("here", "https://cluster.test", "team", ClusterLogin()))
        self.there = there

    def get(self, _kind: str, _name: str) -> Object:
        return self.there

    def apply(self, wanted: Object, *, dry_run: bool = False) -> Object:
        assert not dry_run
        if wanted["metadata"]["resourceVersion"] != self.there["metadata"]["resourceVersion"]:
            raise ConflictError("the object has been modified")
        status = {"observedGeneration": 9, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
        self.there = {**wanted, "metadata": {**wanted["metadata"], "generation": 9}, "status": status}
        return self.there


def deployment(release: int) -> Object:
    template = {
        "metadata": {"labels": {}, "annotations": {RELEASE: str(release)}},
        "spec": {"containers": [{"image": "registry.test/notes:1"}]},
    }
    metadata = {"name": "notes", "uid": "u", "generation": 1, "resourceVersion": "1", "labels": {PROJECT: "notes"}}
    return {"metadata": metadata, "spec": {"replicas": 1, "template": template}}


def change(read: Object) -> Object:
    """Returns the Deployment as it is after somebody else has changed it."""
    changed = deepcopy(read)
    changed["metadata"] |= {"generation": 2, "resourceVersion": "2"}
    return changed


def test_an_autoscaler_holds_up_no_deploy() -> None:
    read = deployment(1)
    scaled = change(read)
    scaled["spec"]["replicas"] = 3
    cluster = Changed(scaled)
    switch(cluster, Live(read, ()), deployment(2), lambda _note: None)
    assert cluster.there["spec"]["template"]["metadata"]["annotations"][RELEASE] == "2"


def test_another_deploy_is_not_overwritten() -> None:
    read = deployment(1)
    other = change(read)
    other["spec"] = deployment(7)["spec"]
    with pytest.raises(BusyError, match="somebody else is changing notes"):
        switch(Changed(other), Live(read, ()), deployment(2), lambda _note: None)


class Gone(Changed):
    """Takes a Deployment, and then cannot be reached any more."""

    def apply(self, wanted: Object, *, dry_run: bool = False) -> Object:
        if self.there["metadata"].get("generation") == 9:
            raise ClusterError("the cluster cannot be reached")
        return super().apply(wanted, dry_run=dry_run)

    def get(self, _kind: str, _name: str) -> Object:
        raise ClusterError("the cluster cannot be reached")

    def list(self, _kind: str, _labels: Mapping[str, str]) -> list[Object]:
        raise ClusterError("the cluster cannot be reached")


def test_an_undo_that_fails_is_not_said_to_have_worked() -> None:
    read = deployment(1)
    with pytest.raises(ReleaseError, match="could not be set back: the cluster cannot be reached") as caught:
        switch(Gone(read), Live(read, ()), deployment(2), lambda _note: None)
    assert "goes on serving" not in caught.value.message


def test_pods_stay_until_an_autoscaler_counts_them() -> None:
    """What homeport alone has said, and says no more, is one pod again."""
    there = deployment(1)
    there["spec"]["replicas"] = 3
    scaled = deployment(2)
    del scaled["spec"]["replicas"]
    there["metadata"]["managedFields"] = [{"manager": "homeport", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]
    assert with_replicas(scaled, there)["spec"]["replicas"] == 3
    assert with_replicas(deployment(2), there)["spec"]["replicas"] == 1, "as many as are configured"
    there["metadata"]["managedFields"] = [{"manager": "kube-controller-manager", "fieldsV1": {"f:spec": {}}}]
    assert with_replicas(scaled, there) == scaled
    assert with_replicas(scaled, None) == scaled
