"""Keeps the states of a project's groups of errors in a ConfigMap, which goes with the project's Deployment."""

from __future__ import annotations

from collections.abc import Mapping

from .cluster import Cluster, ConflictError, Object
from .live import check_ours
from .names import is_ours
from .secrets import labels

KIND = "ConfigMap"


class ConfigMapStates:
    """Keeps one entry for each group of the project whose Deployment is `deployment`."""

    def __init__(self, cluster: Cluster, project: str, deployment: Object) -> None:
        self._cluster = cluster
        self._project = project
        self._deployment = deployment

    @property
    def _name(self) -> str:
        return f"{self._project}-errors"

    def read(self) -> Mapping[str, str]:
        there = self._cluster.get(KIND, self._name)
        return (there.get("data") or {}) if there is not None and is_ours(there, self._project) else {}

    def write(self, key: str, text: str) -> None:
        """Raises InputError if there is a ConfigMap of this name that is not homeport's."""
        there = self._cluster.get(KIND, self._name)
        if there is not None:
            check_ours(self._cluster, there, KIND, self._project)
        if not self._merge(key, text):
            try:
                self._create(key, text)
            except ConflictError:
                # Another command was first.
                self._merge(key, text)

    def _merge(self, key: str, text: str) -> bool:
        return self._cluster.merge(KIND, self._name, {"data": {key: text}})

    def _create(self, key: str, text: str) -> None:
        there = self._deployment["metadata"]
        # The cluster removes what a Deployment owns after it.
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": there["name"], "uid": there["uid"]}
        metadata = {"name": self._name, "labels": labels(self._project), "ownerReferences": [owner]}
        self._cluster.create({"apiVersion": "v1", "kind": KIND, "metadata": metadata, "data": {key: text}})
