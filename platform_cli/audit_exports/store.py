"""Keeps the exports, and up to which line of each project each has come."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..api.audit_export import ExportKind, ListedAuditExport
from ..errors import NotFoundError
from ..secrets.base import SecretStore
from .destination import Destination, read_destination

MAX_FAILURE = 500
URL, KEY, HEADERS, CA = "URL", "KEY", "HEADERS", "CA"
_COLUMNS = "id, kind, target, project, private, created_at, sent_at, failed_at, failure"


@dataclass(frozen=True, slots=True)
class Export:
    """Is an export of the lines of `project`, None for those of all projects."""

    id: str
    kind: ExportKind
    target: str
    project: str | None
    private: bool
    created_at: float
    sent_at: float | None = None
    failed_at: float | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """Holds what an export needs to reach its receiver: all of it may be secret."""

    destination: Destination
    key: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca: str | None = None


class ExportStore:
    """Keeps exports in the platform's database, and their secrets in `vault`."""

    def __init__(self, db: sqlite3.Connection, vault: SecretStore) -> None:
        self._db = db
        self._vault = vault
        db.execute(
            "CREATE TABLE IF NOT EXISTS audit_exports (id TEXT PRIMARY KEY, kind TEXT NOT NULL, target TEXT NOT NULL, "
            "project TEXT, private INTEGER NOT NULL, created_at REAL NOT NULL, sent_at REAL, failed_at REAL, "
            "failure TEXT) STRICT"
        )
        db.execute(
            "CREATE TABLE IF NOT EXISTS audit_export_cursors (export TEXT NOT NULL, project TEXT NOT NULL, "
            "seq INTEGER NOT NULL, PRIMARY KEY (export, project)) STRICT, WITHOUT ROWID"
        )

    def add(self, export: Export, url: str, access: Access, cursors: Mapping[str, int]) -> None:
        """Keeps an export, which begins in each project after the line that `cursors` names, else with the first."""
        # First, since an export without a URL could not be used, and a URL without an export is found by nobody.
        secrets = {URL: url, HEADERS: json.dumps(dict(access.headers)), KEY: access.key, CA: access.ca}
        self._vault.set(_vault_name(export.id), {name: value for name, value in secrets.items() if value})
        with self._db:
            self._db.execute("BEGIN")
            self._db.execute(
                f"INSERT INTO audit_exports ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, NULL)",  # noqa: S608
                (export.id, export.kind, export.target, export.project, export.private, export.created_at),
            )
            self._db.executemany(
                "INSERT INTO audit_export_cursors VALUES (?, ?, ?)",
                [(export.id, project, seq) for project, seq in cursors.items()],
            )

    def all(self) -> list[Export]:
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM audit_exports ORDER BY created_at").fetchall()  # noqa: S608
        return [_export(*row) for row in rows]

    def listed(self, heads: Mapping[str, int]) -> list[ListedAuditExport]:
        """Returns all exports; `heads` are the numbers of the last durable line of each project."""
        return [
            {
                "id": each.id,
                "kind": each.kind,
                "target": each.target,
                "project": each.project,
                "created_at": each.created_at,
                "sent_at": each.sent_at,
                "failed_at": each.failed_at,
                "failure": each.failure,
                "behind": sum(self.behind(each, heads).values()),
            }
            for each in self.all()
        ]

    def behind(self, export: Export, heads: Mapping[str, int]) -> dict[str, int]:
        """Returns by project how many lines an export has to send, without those that have none."""
        wanted = heads if export.project is None else {export.project: heads.get(export.project, 0)}
        query = "SELECT project, seq FROM audit_export_cursors WHERE export = ?"
        cursors: dict[str, int] = dict(self._db.execute(query, (export.id,)).fetchall())
        lacking = {project: head - cursors.get(project, 0) for project, head in wanted.items()}
        return {project: count for project, count in lacking.items() if count > 0}

    def cursor(self, export_id: str, project: str) -> int:
        """Returns the number of the last line that the receiver has taken, 0 before the first."""
        query = "SELECT seq FROM audit_export_cursors WHERE export = ? AND project = ?"
        row = self._db.execute(query, (export_id, project)).fetchone()
        return int(row[0]) if row else 0

    def access(self, export: Export) -> Access:
        """Returns what leads to the receiver.

        Raises PlatformError if it cannot be decrypted.
        """
        name = _vault_name(export.id)
        values = self._vault.values(name, self._vault.current(name))
        destination = read_destination(values[URL], private=export.private)
        return Access(destination, values.get(KEY), json.loads(values[HEADERS]), values.get(CA))

    def taken(self, export_id: str, project: str, seq: int) -> None:
        """Notes that the receiver has taken the lines up to that number."""
        with self._db:
            self._db.execute("BEGIN")
            self._db.execute("INSERT OR REPLACE INTO audit_export_cursors VALUES (?, ?, ?)", (export_id, project, seq))
            self._db.execute(
                "UPDATE audit_exports SET sent_at = ?, failure = NULL WHERE id = ?", (time.time(), export_id)
            )

    def failed(self, export_id: str, failure: str) -> None:
        """Notes why the receiver has not taken lines."""
        self._db.execute(
            "UPDATE audit_exports SET failed_at = ?, failure = ? WHERE id = ?",
            (time.time(), failure[:MAX_FAILURE], export_id),
        )

    def remove(self, export_id: str) -> None:
        """Removes an export.

        Raises NotFoundError if there is none of that id.
        """
        if export_id not in {each.id for each in self.all()}:
            raise NotFoundError(f"there is no export {export_id!r}", hint="`homeport audit export-to list` shows them")
        with self._db:
            self._db.execute("BEGIN")
            self._db.execute("DELETE FROM audit_export_cursors WHERE export = ?", (export_id,))
            self._db.execute("DELETE FROM audit_exports WHERE id = ?", (export_id,))
        self._vault.forget(_vault_name(export_id))

    def forget(self, project: str) -> None:
        """Removes the exports of a project, and how far others have come with it: another may get its name."""
        for each in self.all():
            if each.project == project:
                self.remove(each.id)
        self._db.execute("DELETE FROM audit_export_cursors WHERE project = ?", (project,))


def _export(
    export_id: str, kind: ExportKind, target: str, project: str | None, private: int, created_at: float,
    sent_at: float | None, failed_at: float | None, failure: str | None,
) -> Export:  # fmt: skip
    return Export(export_id, kind, target, project, bool(private), created_at, sent_at, failed_at, failure)


def _vault_name(export_id: str) -> str:
    """Returns a name that no project can have."""
    return f"audit-export:{export_id}"
