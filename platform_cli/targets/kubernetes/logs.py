"""Reads what a project's pods have printed, of those that are there: a cluster keeps no log of a pod that is gone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ...api.log_record import LogRecord
from ...audit.instances import is_line
from ...log_query import LogQuery
from ...records import read_record
from ...telemetry.error_store import Failed
from ..log_errors import failed_in, is_error
from .cluster import Cluster, Object
from .names import PROJECT

FOLLOW_S = 2.0


@dataclass(slots=True)
class _Reader:
    """Reads the log of one pod, and each line once: `last` is the time of the newest, in seconds since 1970, and
    `at_last` are the lines of that time.
    """

    cluster: Cluster
    pod: str
    last: float
    at_last: set[str] = field(default_factory=set)

    def read(self, *, previous: bool = False) -> Iterator[tuple[float, str]]:
        """Yields lines, each with its time; those of the container before with `previous`."""
        since = datetime.fromtimestamp(self.last, UTC).isoformat()
        query = {"timestamps": "true", "sinceTime": since, **({"previous": "true"} if previous else {})}
        for line in self.cluster.log(self.pod, query).splitlines():
            stamp, _, text = line.partition(" ")
            try:
                at = datetime.fromisoformat(stamp).timestamp()
            except ValueError:  # a node's own word that it has no log
                continue
            if at < self.last or (at == self.last and text in self.at_last):
                continue
            if at > self.last:
                self.last, self.at_last = at, set()
            self.at_last.add(text)
            yield at, text


def read_audit(cluster: Cluster, project: str, since: float) -> Iterator[bytes]:
    """Yields the lines of the audit log that pods have printed from `since` on, seconds since 1970."""
    yield from (text.encode() for _, text in _printed(cluster, project, since) if is_line(text))


def read_errors(cluster: Cluster, project: str) -> Iterator[Failed]:
    """Yields the errors that pods have printed, those of each pod together."""
    for at, text in _printed(cluster, project, 0.0):
        if (failed := failed_in(text, project, at)) is not None:
            yield failed


def _printed(cluster: Cluster, project: str, since: float) -> Iterator[tuple[float, str]]:
    for pod in cluster.list("Pod", {PROJECT: project}):
        yield from _all_of(pod, _Reader(cluster, pod["metadata"]["name"], since))


def _all_of(pod: Object, reader: _Reader) -> Iterator[tuple[float, str]]:
    """Yields what a pod has printed, beginning with the container that ended before the present one."""
    if any(each.get("restartCount") for each in pod.get("status", {}).get("containerStatuses") or ()):
        yield from reader.read(previous=True)
    yield from reader.read()


def read_logs(cluster: Cluster, project: str, *, follow: bool, query: LogQuery) -> Iterator[LogRecord]:
    """Yields records, the oldest first and each once; with `follow` it never ends."""
    readers: dict[str, _Reader] = {}
    while True:
        lines: list[tuple[float, str]] = []
        for pod in cluster.list("Pod", {PROJECT: project}):
            uid = pod["metadata"]["uid"]
            if uid in readers:
                lines += readers[uid].read()
            else:
                readers[uid] = _Reader(cluster, pod["metadata"]["name"], query.since)
                lines += _all_of(pod, readers[uid])
        # Arguments are in the audit log alone, and errors are read in groups.
        records = [_record(at, text) for at, text in lines if not is_line(text) and not is_error(text)]
        yield from sorted(records, key=lambda record: record["time"])
        if not follow:
            return
        time.sleep(FOLLOW_S)


def _record(at: float, text: str) -> LogRecord:
    return read_record(text) or {"time": at, "level": "info", "release": "-", "message": text}
