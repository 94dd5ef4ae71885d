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
from .cluster import Cluster
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

    def read(self, *, previous: bool = False, audit: bool = False) -> Iterator[LogRecord]:
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
            # Arguments are in the audit log alone.
            if is_line(text) != audit:
                continue
            yield read_record(text) or {"time": at, "level": "info", "release": "-", "message": text}


def read_audit(cluster: Cluster, project: str, since: float) -> Iterator[bytes]:
    """Yields the lines of the audit log that pods have printed from `since` on, seconds since 1970."""
    for pod in cluster.list("Pod", {PROJECT: project}):
        reader = _Reader(cluster, pod["metadata"]["name"], since)
        yield from (record["message"].encode() for record in reader.read(audit=True))


def read_logs(cluster: Cluster, project: str, *, follow: bool, query: LogQuery) -> Iterator[LogRecord]:
    """Yields records, the oldest first and each once; with `follow` it never ends."""
    readers: dict[str, _Reader] = {}
    while True:
        records: list[LogRecord] = []
        for pod in cluster.list("Pod", {PROJECT: project}):
            uid, name = pod["metadata"]["uid"], pod["metadata"]["name"]
            if uid not in readers:
                readers[uid] = _Reader(cluster, name, query.since)
                if any(each.get("restartCount") for each in pod.get("status", {}).get("containerStatuses") or ()):
                    records += readers[uid].read(previous=True)
            records += readers[uid].read()
        yield from sorted(records, key=lambda record: record["time"])
        if not follow:
            return
        time.sleep(FOLLOW_S)
