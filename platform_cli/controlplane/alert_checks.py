"""Looks at intervals for what nobody reports: new errors, limits that are exceeded, crash loops, failed deploys, broken
links, a full disk, certificates.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
import time

from ..alerts.model import Alert, Event
from ..api.alert import AlertKind
from ..api.error_group import ErrorGroup
from ..api.metrics import MetricsRow
from ..errors import HomeportError
from ..supervisor.supervisor import Supervisor
from .alerts import Alerts
from .certificates import Certificates
from .edge import Edge
from .failed_deploys import failed_deploys
from .stores import Stores

LOOK_S = 15.0
# No deploy takes longer from its beginning to its failure.
LONGEST_DEPLOY_S = 86_400.0
# What is measured is what happened in the last 5 minutes, if that was not too little to say anything.
PERIOD_S = 300.0
MIN_CALLS = 20
# The failures that are the server's own, and not those of its callers.
FAILURES = ("tool", "exception", "protocol", "timeout", "crash", "error")
CRASHES = 3
# The free bytes below which a disk is nearly full.
DISK_FREE = 1_000_000_000
# The longest silence that is looked for is shorter than this (RAW_S of telemetry).
WEEK_S = 7 * 86_400.0


class AlertChecks:
    """Looks while there is an alert, and tells `alerts` what it finds."""

    def __init__(self, alerts: Alerts, stores: Stores, supervisor: Supervisor, edge: Edge) -> None:
        self._alerts = alerts
        self._stores = stores
        self._supervisor = supervisor
        self._edge = edge
        self._certificates = Certificates(edge)
        self._since = time.time()
        self._known_failures: set[object] | None = None

    async def watch(self) -> None:
        """Looks, at intervals, and never returns."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Looks once; what cannot be read now is looked at the next time."""
        if not self._stores.alerts.all():
            self._since, self._known_failures = time.time(), None
            return
        now = time.time()
        with contextlib.suppress(sqlite3.Error):
            await self._look_at_deploys()
        for check in (self._look_at_links, self._look_at_disk):
            with contextlib.suppress(HomeportError, OSError, sqlite3.Error):
                check()
        with contextlib.suppress(HomeportError):
            for group in await self._stores.telemetry.appeared_errors(self._since, now):
                self._alerts.happened(error_event(group))
            # What could not be read is read the next time.
            self._since = now
        for project in list(self._supervisor.services):
            with contextlib.suppress(HomeportError, OSError, sqlite3.Error):
                await self._look_at_project(project, now)
        if self._alerts.wanting("certificate", None):
            for event in await self._certificates.look([row.name for row in self._stores.store.projects()]):
                self._alerts.happened(event)

    async def _look_at_deploys(self) -> None:
        """Finds releases that did not start, and deployments of commits that were not even built.

        A release is as old as its beginning, so that one may appear that is older than the last look.
        """
        found = await asyncio.to_thread(failed_deploys, self._stores.home.store, self._since - LONGEST_DEPLOY_S)
        known = self._known_failures
        if known is None:
            known = {failure.key for failure in found if failure.time < self._since}
        self._known_failures = {failure.key for failure in found}
        for failure in (failure for failure in found if failure.key not in known):
            # Further lines are what the server printed, which may be anything.
            text = failure.error.partition("\n")[0]
            self._alerts.happened(Event("deploy", failure.project, "a deploy failed", text, release=failure.release))

    def _look_at_links(self) -> None:
        for repository in self._stores.links.repositories():
            for link in self._stores.links.of(repository) if repository.error is not None else ():
                title = "its repository cannot be deployed from"
                self._alerts.happened(Event("link", link.project, title, repository.error or "", lasts=True))

    def _look_at_disk(self) -> None:
        free = shutil.disk_usage(self._stores.home.root).free
        if free < DISK_FREE:
            text = f"{free // 1_000_000} MB are free where {self._stores.home.root} is"
            self._alerts.happened(Event("disk", None, "the disk is nearly full", text, lasts=True))

    async def _look_at_project(self, project: str, now: float) -> None:
        service = self._supervisor.services.get(project)
        if service is None:
            return
        if service.state == "failing":
            self._crash_loop(project)
        wanting = {kind: self._alerts.wanting(kind, project) for kind in ("error-rate", "latency", "crash-loop")}
        if any(wanting.values()):
            found = (await self._stores.telemetry.summary(project, now - PERIOD_S, now, "tool"))["total"]
            if found["kinds"].get("crash", 0) >= CRASHES:
                self._crash_loop(project)
            for alert in wanting["error-rate"]:
                self._tell_if(alert, error_rate(alert, project, found))
            for alert in wanting["latency"]:
                self._tell_if(alert, latency(alert, project, found))
        for alert in self._alerts.wanting("silent", project):
            await self._look_for_silence(alert, project, now)

    def _crash_loop(self, project: str) -> None:
        service = self._supervisor.services.get(project)
        error = service.last_error if service else None
        text = (error or "").partition("\n")[0]
        self._alerts.happened(Event("crash-loop", project, "its workers end again and again", text, lasts=True))

    async def _look_for_silence(self, alert: Alert, project: str, now: float) -> None:
        silent_s = alert.limits.silent_s or 0.0
        recent = await self._stores.telemetry.summary(project, now - silent_s, now, "tool")
        if recent["total"]["operations"]:
            return
        before = await self._stores.telemetry.summary(project, now - WEEK_S, now - silent_s, "tool")
        if before["total"]["operations"]:
            title = f"nobody has called it for {silent_s / 3600:g} h"
            self._tell_if(alert, Event("silent", project, title, "before that there were calls", lasts=True))

    def _tell_if(self, alert: Alert, event: Event | None) -> None:
        if event is not None:
            self._alerts.exceeded(alert, event)


def error_event(group: ErrorGroup) -> Event:
    """Returns what to tell of errors that are new or came back, without what the exception says: that may have anything
    of a caller's in it.
    """
    is_back = group["state"] == "regressed"
    title = f"{group['type']} in {group['name'] or group['method'] or 'its server'}" + (" is back" if is_back else "")
    text = f"{group['where'] or 'outside of its own code'}; homeport errors {group['project']} {group['id']}"
    release = group["state_release"] if is_back else group["first_release"]
    kind: AlertKind = "regression" if is_back else "error"
    return Event(kind, group["project"], title, text, str(group["id"]), release)


def error_rate(alert: Alert, project: str, found: MetricsRow) -> Event | None:
    """Returns what to tell of a project of whose calls too many have failed, None if they have not."""
    calls = sum(count for kind, count in found["kinds"].items() if kind == "ok" or kind in FAILURES)
    failed = {kind: count for kind, count in found["kinds"].items() if kind in FAILURES}
    limit = alert.limits.error_rate
    if limit is None or calls < MIN_CALLS or sum(failed.values()) < limit * calls:
        return None
    rate = sum(failed.values()) / calls
    text = ", ".join(f"{kind} {count}" for kind, count in failed.items())
    return Event("error-rate", project, f"{rate:.0%} of {calls} calls in 5 min failed", text, lasts=True)


def latency(alert: Alert, project: str, found: MetricsRow) -> Event | None:
    """Returns what to tell of a project that answers too slowly, None if it does not."""
    limit, p95 = alert.limits.p95_ms, found["p95"]
    if limit is None or p95 is None or found["operations"] < MIN_CALLS or p95 <= limit:
        return None
    title = f"5 % of its calls in 5 min took longer than {p95:.0f} ms"
    return Event("latency", project, title, f"the limit is {limit:.0f} ms", lasts=True)
