"""Tries what projects offer: sends a person's request through a project's own URL, as any client would."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import NotFoundError, ReleaseError
from ..pipeline.manifest import read_manifest
from ..supervisor.sockets import HOST
from .locks import ProjectLocks
from .running_releases import RunningReleases
from .stores import Stores

if TYPE_CHECKING:
    from ..playground.exchange import Action, Exchange


class Tries:
    """Holds the requests that are on their way."""

    def __init__(self, stores: Stores, locks: ProjectLocks, running: RunningReleases) -> None:
        self._stores = stores
        self._locks = locks
        self._running = running
        self._open: dict[tuple[str, str], Exchange] = {}

    async def begin(self, project: str, method: str, params: Mapping[str, Any], user: str) -> AsyncIterator[bytes]:
        """Returns the events of a request (api.try_event) as lines of JSON; to stop reading them cancels the request.

        Raises NotFoundError without such a project, and ReleaseError if it serves nothing.
        """
        row = self._stores.store.project(project)
        active = self._stores.store.active_release(project)
        if active is None:
            raise ReleaseError(f"{project} serves nothing yet", hint="deploy it first")
        headers = await self._headers(project, user)
        has_sessions = bool(read_manifest(self._stores.home.bundles / active.bundle)["sessions"])
        return self._lines(project, f"http://{HOST}:{row.port}/mcp", headers, method, params, has_sessions)

    def reply(self, project: str, try_id: str, asked: str, action: Action, content: Mapping[str, Any] | None) -> None:
        """Gives the server the person's reply to what it asks. Raises NotFoundError if it does not wait for one."""
        exchange = self._open.get((project, try_id))
        if exchange is None:
            raise NotFoundError("this request is over", hint="send it again")
        exchange.reply(asked, action, content)

    async def _headers(self, project: str, user: str) -> dict[str, str]:
        """Returns the headers that let the console in, whose token running workers know."""
        if self._stores.access.mode(project).token_hash is None:
            return {}
        made = self._stores.console_tokens.take(project, user)
        if not made.is_admitted:
            async with self._locks.of(project):
                await self._running.admit(project)
            made.is_admitted = True
        return {"Authorization": f"Bearer {made.token}"}

    async def _lines(
        self,
        project: str,
        url: str,
        headers: Mapping[str, str],
        method: str,
        params: Mapping[str, Any],
        has_sessions: bool,
    ) -> AsyncIterator[bytes]:
        # Imported late, since httpx would delay every start of a control plane.
        from ..playground.exchange import Exchange

        exchange = Exchange()
        self._open[project, exchange.id] = exchange
        try:
            async for event in exchange.run(url, headers, method, params, has_sessions=has_sessions):
                yield json.dumps(event).encode() + b"\n"
        finally:
            del self._open[project, exchange.id]
