"""Gives the console's pages what they are made from (console.source)."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import deque
from collections.abc import Collection, Mapping
from typing import Any

from ..api.alert import ListedAlert
from ..api.audit_entry import AuditEntry
from ..api.audit_query import AuditQuery
from ..api.call_entry import CallEntry
from ..api.call_query import CallQuery
from ..api.client_token import ListedClientToken
from ..api.deployment import BuildLog, DeploymentEntry
from ..api.difference import ToolsDifference
from ..api.error_group import ErrorGroup, ErrorGroupDetail
from ..api.log_record import LogRecord
from ..api.metrics import By, ClientCount, Metrics, MetricsRow, ReleaseCount
from ..api.platform import ListedToken, PlatformState
from ..api.release import Release
from ..api.secret import ListedSecret
from ..api.sign_in import ListedGrant
from ..api.status import Status
from ..contract import compare
from ..log_query import LogQuery
from ..pushes.deployment_routes import find_build_log
from ..records import read_record
from .platform import Platform
from .sign_in_routes import list_grants


class ConsoleSource:
    """Answers what console.source.Source asks for."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def platform(self) -> PlatformState:
        return self._platform.describe()

    def free_bytes(self) -> int:
        return shutil.disk_usage(self._platform.home.root).free

    def projects(self) -> list[Status]:
        return self._platform.overview.list_projects()

    def status(self, project: str) -> Status:
        return self._platform.overview.status(project)

    def releases(self, project: str) -> list[Release]:
        return self._platform.overview.versions(project)

    def contract(self, project: str) -> Mapping[str, Any] | None:
        return self._platform.overview.contract(project)

    def deployments(self, project: str) -> list[DeploymentEntry]:
        return self._platform.overview.list_deployments(project)

    async def differences(
        self, project: str, pairs: Collection[tuple[int, int]]
    ) -> dict[tuple[int, int], ToolsDifference]:
        contracts = await self._platform.overview.contracts(project, {number for pair in pairs for number in pair})
        return {(old, new): compare(contracts[old], contracts[new]).data() for old, new in pairs}

    def build_log(self, project: str, release: int) -> BuildLog:
        return find_build_log(self._platform.stores.deployments, project, release)

    def repository(self, project: str) -> str | None:
        link = self._platform.stores.links.find(project)
        return link.repository.on_github.url if link is not None else None

    async def break_down(self, project: str, since: float, until: float, bys: Collection[By]) -> dict[By, Metrics]:
        return await self._platform.telemetry.break_down(project, since, until, bys)

    async def totals(self, projects: Collection[str], since: float, until: float) -> dict[str, MetricsRow]:
        return await self._platform.telemetry.totals(projects, since, until)

    async def clients(self, project: str, since: float, until: float) -> list[ClientCount]:
        return await self._platform.telemetry.clients(project, since, until)

    async def release_counts(self, project: str, since: float) -> dict[str, ReleaseCount]:
        return await self._platform.telemetry.releases(project, since)

    async def calls(self, project: str, query: CallQuery, most: int) -> list[CallEntry]:
        return await self._platform.telemetry.calls(project, query, most)

    async def names(self, project: str, most: int) -> tuple[list[str], list[str]]:
        return await self._platform.telemetry.names(project, most)

    async def logs(self, project: str, request: str, most: int) -> list[LogRecord]:
        query = LogQuery(request=request)
        chunks = self._platform.overview.newest_logs(project, follow=False, query=query, most=most)
        lines = b"".join([chunk async for chunk in chunks]).split(b"\n")
        return [record for line in lines if (record := read_record(line)) is not None]

    async def open_errors(self, projects: Collection[str]) -> dict[str, int]:
        telemetry = self._platform.stores.telemetry
        await telemetry.flush()
        return {project: telemetry.open_errors(project) for project in projects}

    async def errors(self, project: str) -> list[ErrorGroup]:
        return await self._platform.telemetry.errors(project)

    async def error(self, project: str, group: int) -> ErrorGroupDetail:
        return await self._platform.telemetry.error(project, group)

    def secrets(self, project: str) -> list[ListedSecret]:
        return self._platform.secrets.listed(project)

    def client_tokens(self, project: str) -> list[ListedClientToken]:
        return self._platform.client_tokens.listed(project)

    def users(self, project: str) -> list[ListedGrant]:
        return list_grants(self._platform, project)

    async def audit(self, project: str, query: AuditQuery, most: int) -> list[AuditEntry]:
        lines = self._platform.audit.search(project, query)
        # The newest are at the end, and most of them are passed over.
        newest = await asyncio.to_thread(deque, lines, most)
        return [json.loads(line) for line in reversed(newest)]

    def alerts(self) -> list[ListedAlert]:
        return self._platform.alerts.listed()

    def tokens(self) -> list[ListedToken]:
        return self._platform.stores.list_tokens()
