"""Gives the console what its pages are made from, and loads it at its first request."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

from homeport_runtime.asgi import ASGIApp, Receive, Scope, Send

from ..api.metrics import By, Metrics, MetricsRow
from ..api.release import Release
from ..api.status import Status
from .platform import Platform


class Console:
    """Is the console's app, whose modules take megabytes that a platform without it does not need."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            self._app = await asyncio.to_thread(self._load)
        await self._app(scope, receive, send)

    def _load(self) -> ASGIApp:
        from ..console.app import console_app

        return console_app(ConsoleSource(self._platform), self._platform.stores.console_sessions)


class ConsoleSource:
    """Answers what console.source.Source asks for."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def projects(self) -> list[Status]:
        return self._platform.overview.list_projects()

    def status(self, project: str) -> Status:
        return self._platform.overview.status(project)

    def releases(self, project: str) -> list[Release]:
        return self._platform.overview.versions(project)

    def contract(self, project: str) -> Mapping[str, Any] | None:
        return self._platform.overview.contract(project)

    async def break_down(self, project: str, since: float, until: float, bys: Collection[By]) -> dict[By, Metrics]:
        return await self._platform.telemetry.break_down(project, since, until, bys)

    async def totals(self, projects: Collection[str], since: float, until: float) -> dict[str, MetricsRow]:
        return await self._platform.telemetry.totals(projects, since, until)
