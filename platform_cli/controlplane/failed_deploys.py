"""Reads which deploys have failed, over a connection of its own: the event loop need not wait for it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

# Releases that did not start, and deployments of commits that became none: what became one is told as that.
_FAILED = """
SELECT project, 'v' || number, created_at, error, NULL FROM releases WHERE error IS NOT NULL AND created_at >= :since
UNION ALL
SELECT d.project, NULL, d.ended_at, coalesce(d.error, 'it failed'), d.id
FROM deployments d JOIN projects p ON p.name = d.project
WHERE d.state = 'failed' AND d.ended_at >= :since
    AND NOT EXISTS (SELECT 1 FROM releases r WHERE r.project = d.project AND r.error = d.error)
"""


@dataclass(frozen=True, slots=True)
class FailedDeploy:
    """Is a release that began at `time` (seconds since 1970) and did not start, or a deployment that ended then."""

    project: str
    release: str | None
    time: float
    error: str
    deployment: int | None

    @property
    def key(self) -> object:
        return self.project, self.release, self.deployment


def failed_deploys(store: Path, since: float) -> list[FailedDeploy]:
    """Returns what has failed of all projects.

    Raises sqlite3.Error if the store cannot be read.
    """
    with closing(sqlite3.connect(f"{store.as_uri()}?mode=ro", uri=True)) as db:
        return [FailedDeploy(*row) for row in db.execute(_FAILED, {"since": since})]
