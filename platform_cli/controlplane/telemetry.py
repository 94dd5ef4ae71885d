"""Answers what projects have done, and keeps what is recorded of it."""

from __future__ import annotations

import os
import time
from collections.abc import Collection

from ..api.call_entry import CallEntry
from ..api.call_query import CallQuery
from ..api.error_group import Change, ErrorGroup, ErrorGroupDetail
from ..api.metrics import By, ClientCount, Metrics, MetricsRow, ReleaseCount
from ..errors import InputError, NotFoundError
from ..supervisor.supervisor import Supervisor
from ..telemetry.calls import find_calls, known_names
from ..telemetry.rollups import KEPT_S
from ..telemetry.store import RAW_S
from ..telemetry.summary import break_down, by_client, by_release, totals
from .stores import Stores


class Telemetry:
    def __init__(self, stores: Stores, supervisor: Supervisor) -> None:
        self._stores = stores
        self._supervisor = supervisor

    async def watch(self) -> None:
        """Stores what is recorded, at intervals, and never returns."""
        await self._stores.telemetry.watch(lambda: [row.name for row in self._stores.store.projects()])

    async def metrics(self, project: str, since: float, by: By, until: float | None = None) -> Metrics:
        """Returns what a project did from `since` to `until`, seconds since 1970, or as far back as anything is known.

        `until` is now if it is None, or not between the two.

        Raises NotFoundError if it does not exist, and InputError for clients of a time of which these are not known.
        """
        self._stores.store.project(project)
        now = time.time()
        # Also for what is no number.
        if not now - KEPT_S < since <= now:
            since = now - KEPT_S
        if until is not None and since < until < now:
            now = until
        if by == "client" and now - since > RAW_S + 60:
            raise InputError("which client called is kept for 7 days", hint="ask for --since 7d or less")
        return await self._stores.telemetry.summary(project, since, now, by)

    async def break_down(self, project: str, since: float, until: float, bys: Collection[By]) -> dict[By, Metrics]:
        """Returns what a project did, in several ways.

        Raises NotFoundError if it does not exist.
        """
        self._stores.store.project(project)
        return await self._stores.telemetry.read(lambda path: break_down(path, project, since, until, bys))

    async def totals(self, projects: Collection[str], since: float, until: float) -> dict[str, MetricsRow]:
        """Returns the sums of what projects did, by their names."""
        return await self._stores.telemetry.read(lambda path: totals(path, projects, since, until))

    async def clients(self, project: str, since: float, until: float) -> list[ClientCount]:
        """Returns how much each client has asked for, as far as that is known: for 7 days.

        Raises NotFoundError if there is no such project.
        """
        self._stores.store.project(project)
        return await self._stores.telemetry.read(lambda path: by_client(path, project, since, until))

    async def releases(self, project: str, since: float) -> dict[str, ReleaseCount]:
        """Returns how much each release has answered since a time.

        Raises NotFoundError if there is no such project.
        """
        self._stores.store.project(project)
        return await self._stores.telemetry.read(lambda path: by_release(path, project, since))

    async def calls(self, project: str, query: CallQuery, most: int) -> list[CallEntry]:
        """Returns single operations of a project, the newest first, as far as they are kept.

        Raises NotFoundError if it does not exist.
        """
        self._stores.store.project(project)
        return await self._stores.telemetry.read(lambda path: find_calls(path, project, query, most))

    async def names(self, project: str, most: int) -> tuple[list[str], list[str]]:
        """Returns the names of a project's tools and of its clients."""
        return await self._stores.telemetry.read(lambda path: known_names(path, project, most))

    async def errors(self, project: str) -> list[ErrorGroup]:
        """Returns the groups of a project's errors.

        Raises NotFoundError if it does not exist.
        """
        self._stores.store.project(project)
        return await self._stores.telemetry.error_groups(project)

    async def error(self, project: str, group: int) -> ErrorGroupDetail:
        """Returns one group of a project's errors.

        Raises NotFoundError if either does not exist.
        """
        self._stores.store.project(project)
        # SQLite has no larger numbers.
        found = await self._stores.telemetry.error_group(project, group) if group < 2**63 else None
        if found is None:
            raise NotFoundError(
                f"{project} has no error {group}", hint=f"`homeport errors {project} --all` shows those that there are"
            )
        return found

    async def change_error(self, project: str, group: int, state: Change) -> ErrorGroupDetail:
        """Changes the state of a group of errors: what is resolved now may come from every release that there is.

        Raises NotFoundError if there is none.
        """
        await self.error(project, group)
        newest = max((row.number for row in self._stores.store.releases(project)), default=None)
        await self._stores.telemetry.change_errors(project, group, state, newest)
        return await self.error(project, group)

    async def export(self) -> None:
        """Sends telemetry where the environment's OTEL_* variables say, for as long as it runs."""
        if not any(name.startswith("OTEL_") for name in os.environ):
            return
        # Imported late: most platforms export nothing.
        from ..telemetry_exports.exporter import Exporter, Sources

        sources = Sources(self._workers, self._stores.telemetry.counted)
        await Exporter(self._stores.home, sources, os.environ).work()

    def prometheus(self, *, open_metrics: bool) -> str:
        """Returns the counters of all projects in Prometheus' text format, or as OpenMetrics has it."""
        return self._stores.telemetry.text(self._workers(), open_metrics=open_metrics)

    def _workers(self) -> dict[str, int]:
        return {project: service.workers for project, service in self._supervisor.services.items()}
