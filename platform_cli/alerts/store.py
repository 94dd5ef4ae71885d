"""Keeps alerts, and what waits to be told: once an hour for each group at most.

This is in the platform's own store, whose changes survive a crash: telemetry's may lose a second, and a person may
remove it. URLs and keys are kept as all secrets are.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from ..api.alert import AlertKind, Channel, ListedAlert
from ..errors import NotFoundError
from ..secrets.base import SecretStore
from .model import Alert, Event, Limits

EVERY_S = 3600.0
# The seconds after which something that could not be told is forgotten.
FORGET_S = 7 * 86_400.0
# The groups of one alert; further ones are told together, by their kind.
MAX_GROUPS = 1000
MAX_FAILURE = 2000
URL, KEY = "URL", "KEY"
SCHEMA = """
CREATE TABLE IF NOT EXISTS alerts (
    id TEXT PRIMARY KEY, channel TEXT NOT NULL, target TEXT NOT NULL, project TEXT, kinds TEXT NOT NULL,
    private INTEGER NOT NULL, limits TEXT NOT NULL, created_at REAL NOT NULL, sent_at REAL, failed_at REAL, failure TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS alert_groups (
    alert TEXT NOT NULL REFERENCES alerts (id) ON DELETE CASCADE, name TEXT NOT NULL, event TEXT NOT NULL,
    waiting INTEGER NOT NULL, since REAL NOT NULL, next_at REAL NOT NULL, PRIMARY KEY (alert, name)
) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Is something that has to be told: an event that came `count` times since `since`, its newest being `event`."""

    name: str
    event: Event
    count: int
    since: float


class AlertStore:
    def __init__(self, db: sqlite3.Connection, vault: SecretStore, clock: Callable[[], float] = time.time) -> None:
        self._db = db
        self._vault = vault
        self._clock = clock
        for statement in filter(str.strip, SCHEMA.split(";")):
            db.execute(statement)

    def add(self, alert: Alert, url: str, key: str | None) -> None:
        # First, since an alert without a URL could not be used, and a URL without an alert is found by nobody.
        self._vault.set(_vault_name(alert.id), {URL: url, **({KEY: key} if key else {})})
        self._db.execute(
            "INSERT INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, NULL)",
            (alert.id, alert.channel, alert.target, alert.project, json.dumps(alert.kinds), alert.private,
             json.dumps(asdict(alert.limits)), self._clock()),
        )  # fmt: skip

    def new_id(self) -> str:
        return secrets.token_hex(4)

    def all(self) -> list[Alert]:
        rows = self._db.execute("SELECT id, channel, target, project, kinds, private, limits FROM alerts")
        return [_alert(*row) for row in rows.fetchall()]

    def get(self, alert_id: str) -> Alert:
        """Returns an alert.

        Raises NotFoundError if there is none of that id.
        """
        for alert in self.all():
            if alert.id == alert_id:
                return alert
        raise NotFoundError(f"there is no alert {alert_id!r}", hint="`homeport alerts list` shows them")

    def listed(self) -> list[ListedAlert]:
        rows = self._db.execute("SELECT id, created_at, sent_at, failed_at, failure FROM alerts")
        times = {row[0]: row[1:] for row in rows.fetchall()}
        return sorted((_listed(alert, *times[alert.id]) for alert in self.all()), key=lambda each: each["created_at"])

    def secrets(self, alert: Alert) -> tuple[str, str | None]:
        """Returns the URL of an alert, and the key that signs its messages.

        Raises PlatformError if they cannot be decrypted.
        """
        name = _vault_name(alert.id)
        values = self._vault.values(name, self._vault.current(name))
        return values[URL], values.get(KEY)

    def remove(self, alert_id: str) -> None:
        """Removes an alert, and what waits to be told by it.

        Raises NotFoundError if there is none of that id.
        """
        self.get(alert_id)
        self._db.execute("DELETE FROM alerts WHERE id = ?", (alert_id,))
        self._vault.forget(_vault_name(alert_id))

    def forget(self, project: str) -> None:
        """Removes the alerts of a project."""
        for alert in self.all():
            if alert.project == project:
                self.remove(alert.id)

    def tell(self, alert: Alert, event: Event) -> bool:
        """Keeps an event until it is told, and returns whether it may be told now.

        One that lasts is told again an hour after it was, if it still lasts then.
        """
        now, name = self._clock(), _group_of(event)
        row = self._group(alert, name)
        if row is None and self._count(alert) >= MAX_GROUPS:
            name = event.kind
            row = self._group(alert, name)
        waiting, next_at = row or (0, 0.0)
        if event.lasts and (waiting or next_at > now):
            return False
        self._db.execute(
            "INSERT INTO alert_groups VALUES (?, ?, ?, 1, ?, 0) ON CONFLICT DO UPDATE SET event = excluded.event, "
            "waiting = waiting + 1, since = CASE waiting WHEN 0 THEN excluded.since ELSE since END",
            (alert.id, name, json.dumps(asdict(event)), now),
        )
        return next_at <= now

    def _group(self, alert: Alert, name: str) -> tuple[int, float] | None:
        query = "SELECT waiting, next_at FROM alert_groups WHERE alert = ? AND name = ?"
        row: tuple[int, float] | None = self._db.execute(query, (alert.id, name)).fetchone()
        return row

    def _count(self, alert: Alert) -> int:
        query = "SELECT count(*) FROM alert_groups WHERE alert = ?"
        return int(self._db.execute(query, (alert.id,)).fetchone()[0])

    def due(self, alert: Alert) -> list[Waiting]:
        """Returns what is to be told now, the oldest first."""
        rows = self._db.execute(
            "SELECT name, event, waiting, since FROM alert_groups "
            "WHERE alert = ? AND waiting > 0 AND next_at <= ? ORDER BY since",
            (alert.id, self._clock()),
        )
        return [
            Waiting(name, Event(**json.loads(event)), count, since) for name, event, count, since in rows.fetchall()
        ]

    def silence(self, alert: Alert, waiting: Waiting) -> None:
        """Has a group be silent for an hour; before its message is sent, since on a disk that is full by then nobody
        could note that it was.
        """
        self._db.execute(
            "UPDATE alert_groups SET next_at = ? WHERE alert = ? AND name = ?",
            (self._clock() + EVERY_S, alert.id, waiting.name),
        )

    def told(self, alert: Alert, waiting: Waiting) -> None:
        """Notes that a message was taken."""
        self._db.execute(
            "UPDATE alert_groups SET waiting = waiting - ?, since = ? WHERE alert = ? AND name = ?",
            (waiting.count, self._clock(), alert.id, waiting.name),
        )
        self.noted(alert, None)

    def noted(self, alert: Alert, failure: str | None) -> None:
        """Keeps when a message was sent, or why one was not."""
        now = self._clock()
        if failure is None:
            self._db.execute("UPDATE alerts SET sent_at = ?, failure = NULL WHERE id = ?", (now, alert.id))
        else:
            values = (now, failure[:MAX_FAILURE], alert.id)
            self._db.execute("UPDATE alerts SET failed_at = ?, failure = ? WHERE id = ?", values)

    def clean(self) -> None:
        """Removes groups that were told and may be told again at once, and what could not be told for days."""
        now = self._clock()
        self._db.execute(
            "DELETE FROM alert_groups WHERE (waiting = 0 AND next_at <= ?) OR since < ?", (now, now - FORGET_S)
        )


def _vault_name(alert_id: str) -> str:
    """Returns a name that no project can have."""
    return f"alert:{alert_id}"


def _group_of(event: Event) -> str:
    return "\n".join((event.kind, event.project or "", event.group))


def _alert(
    alert_id: str, channel: Channel, target: str, project: str | None, kinds: str, private: int, limits: str
) -> Alert:
    known: list[AlertKind] = json.loads(kinds)
    return Alert(alert_id, channel, target, project, tuple(known), bool(private), Limits(**json.loads(limits)))


def _listed(
    alert: Alert, created_at: float, sent_at: float | None, failed_at: float | None, failure: str | None
) -> ListedAlert:
    return {
        "id": alert.id,
        "channel": alert.channel,
        "target": alert.target,
        "project": alert.project,
        "kinds": list(alert.kinds),
        "private": alert.private,
        "error_rate": alert.limits.error_rate,
        "p95_ms": alert.limits.p95_ms,
        "silent_s": alert.limits.silent_s,
        "created_at": created_at,
        "sent_at": sent_at,
        "failed_at": failed_at,
        "failure": failure,
    }
