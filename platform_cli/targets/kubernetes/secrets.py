"""Stores a project's secrets in the cluster: one Secret for each change, which never changes itself.

A release names the Secret that it was made with, so that a pod which starts anew, and a rollback, have the values of
their release. Values pass through the API's bodies alone: no manifest, command line or log has one.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from ...api.secret import ListedSecret, ListedVersion
from ...errors import BusyError
from ...kubernetes.objects import MANAGER
from ..secret_changes import SecretChanges
from .cluster import Cluster, ConflictError, Object
from .live import Live
from .names import HISTORY, PROJECT, SECRETS_VERSION, annotations_of, is_ours

ATTEMPTS = 5

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Document:
    """Is the content of one Secret of a project.

    `history` has the number and the time (in seconds since 1970) of the newest value of every name that ever was set.
    """

    name: str
    version: int
    values: Mapping[str, str] = field(repr=False)
    history: Mapping[str, tuple[int, float]]
    there: Object | None = field(repr=False)

    def numbers(self, names: Collection[str]) -> dict[str, int | None]:
        """Returns the version of each of these secrets, None for one that has no value."""
        return {name: self.history[name][0] if name in self.values else None for name in names}


class ProjectSecrets(SecretChanges[Document]):
    """Reads and changes a project's secrets; raises ClusterError, which never has a value in it."""

    def __init__(self, cluster: Cluster, project: str) -> None:
        self._cluster = cluster
        self._project = project

    @property
    def prefix(self) -> str:
        return f"{self._project}-secrets-"

    def documents(self) -> dict[str, Document]:
        """Returns all versions by the names of their Secrets, the oldest first."""
        found = self._cluster.list("Secret", {PROJECT: self._project})
        read = [_read(each) for each in found if SECRETS_VERSION in each["metadata"]["labels"]]
        return {each.name: each for each in sorted(read, key=lambda document: document.version)}

    def current(self) -> Document | None:
        """Returns the newest version, None before anything was set."""
        return next(reversed(self.documents().values()), None)

    def prune(self, live: Live) -> None:
        """Deletes the versions that no release has, but for the newest."""
        used = {name for release in live.releases for name in release.secrets(self.prefix).values()}
        for document in list(self.documents().values())[:-1]:
            if document.name not in used and document.there is not None:
                self._cluster.delete("Secret", document.there)

    def listed(self, live: Live) -> list[ListedSecret]:
        documents = self.documents()
        now = next(reversed(documents.values()), None)
        found: dict[str, dict[int, ListedVersion]] = {}
        for document in documents.values():
            for name in document.values:
                number, set_at = document.history[name]
                found.setdefault(name, {}).setdefault(number, {"version": number, "set_at": set_at, "releases": []})
        for release in live.releases:
            for name, secret in release.secrets(self.prefix).items():
                number = documents[secret].history[name][0] if secret in documents else 0
                if number in found.get(name, {}):
                    found[name][number]["releases"].append(f"v{release.number}")
        return [
            {
                "name": name,
                "version": now.history[name][0] if now and name in now.values else None,
                "versions": [versions[number] for number in sorted(versions)],
            }
            for name, versions in sorted(found.items())
        ]

    def _write(self, before: Document | None, values: Mapping[str, str], changed: Collection[str]) -> None:
        version, history = (before.version + 1, dict(before.history)) if before else (1, {})
        for name in changed:
            history[name] = (history.get(name, (0, 0.0))[0] + 1, time.time())
        self._cluster.create(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {
                    "name": f"{self.prefix}{version}",
                    "labels": {**labels(self._project), SECRETS_VERSION: str(version)},
                    "annotations": {HISTORY: json.dumps(history)},
                },
                "immutable": True,
                "data": {name: base64.b64encode(value.encode()).decode() for name, value in values.items()},
            }
        )

    def _first(self, change: Callable[[Document | None], T]) -> T:
        """Applies a change to the newest version, again if another change came first."""
        for _ in range(ATTEMPTS):
            try:
                return change(self.current())
            except ConflictError:
                # Of two changes only one can make the next version.
                if self._is_foreign():
                    raise
        raise BusyError(f"somebody else is changing the secrets of {self._project}", hint="try it again")

    def _is_foreign(self) -> bool:
        """Tells whether what has the next version's name is not homeport's, and so never among the versions."""
        now = self.current()
        there = self._cluster.get("Secret", f"{self.prefix}{now.version + 1 if now else 1}")
        return there is not None and not is_ours(there, self._project)


def labels(project: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": project, "app.kubernetes.io/managed-by": MANAGER, PROJECT: project}


def _read(there: Object) -> Document:
    said = json.loads(annotations_of(there).get(HISTORY, "{}"))
    values = {
        name: base64.b64decode(value).decode("utf-8", "replace") for name, value in (there.get("data") or {}).items()
    }
    history = dict.fromkeys(values, (1, 0.0)) | {name: (number, at) for name, (number, at) in said.items()}
    version = int(there["metadata"]["labels"][SECRETS_VERSION])
    return Document(there["metadata"]["name"], version, values, history, there)


def has_other_values(documents: Mapping[str, Document], before: Mapping[str, str], now: Document | None) -> list[str]:
    """Returns the names of the secrets that have other values in `now` than those that pods read.

    `before` are the variables of pods, each with the name of its Secret.
    """
    return [
        name
        for name, secret in before.items()
        if now is None or secret not in documents or documents[secret].values.get(name) != now.values.get(name)
    ]
