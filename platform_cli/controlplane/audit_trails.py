"""Looks after all projects' audit logs: makes them durable, removes what is too old, and reads them."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator

from ..api.audit_entry import Verified
from ..api.audit_query import AuditQuery
from ..audit.book import AuditBook, durable
from ..audit.chain import Head
from ..audit.files import audit_folder
from ..audit.search import search
from ..audit.verify import report, verify
from ..supervisor.supervisor import Supervisor
from .stores import Stores

# The seconds after which a line is durable.
SYNC_S = 1.0
# The seconds between looks for what is too old.
CLEAN_S = 3600.0
DAY_S = 86400.0


class AuditTrails:
    """Looks after the audit logs; every method that names a project raises NotFoundError if it does not exist."""

    def __init__(self, stores: Stores, supervisor: Supervisor) -> None:
        self._stores = stores
        self._supervisor = supervisor

    async def watch(self) -> None:
        """Makes lines durable and removes old ones, at intervals, and never returns."""
        since_clean = CLEAN_S
        while True:
            # On a full or broken disk the next turn tries again.
            with contextlib.suppress(OSError, sqlite3.Error):
                await self.sync()
                if since_clean >= CLEAN_S:
                    since_clean = 0.0
                    self._clean()
            await asyncio.sleep(SYNC_S)
            since_clean += SYNC_S

    async def sync(self) -> None:
        """Makes all lines durable, the files first: what the store has is in them."""
        for service in [*self._supervisor.services.values()]:
            await service.look_for_audit_room()
        written: list[tuple[str, AuditBook, Head]] = []
        for project, book in self._books():
            if book.is_dirty:
                head, descriptor = book.unsynced()
                await asyncio.to_thread(durable, descriptor)
                written.append((project, book, head))
        # One that was destroyed meanwhile is forgotten already.
        there = self._books()
        written = [each for each in written if each[:2] in there]
        if written:
            self._stores.audit_heads.put({project: head for project, _book, head in written})
        for _project, book, head in written:
            book.stored(head)

    def _clean(self) -> None:
        for project, book in self._books():
            keep_s = self._supervisor.services[project].audit_keep_days * DAY_S
            book.rotate(keep_s)
            old = book.outdated(keep_s)
            if old:
                self._stores.audit_heads.start_after(project, old[-1][1])
            for path, _ in old:
                path.unlink(missing_ok=True)

    def search(self, project: str, query: AuditQuery) -> Iterator[bytes]:
        """Yields a project's lines that the query selects, the oldest first."""
        self._stores.store.project(project)
        return search(audit_folder(self._stores.home.project(project)), query)

    async def verify(self, project: str) -> Verified:
        self._stores.store.project(project)
        await self.sync()
        heads, folder = self._stores.audit_heads, audit_folder(self._stores.home.project(project))
        checked = await asyncio.to_thread(verify, folder, heads.start(project), heads.head(project))
        return report(project, checked)

    def _books(self) -> list[tuple[str, AuditBook]]:
        return [(project, service.journal.audit) for project, service in self._supervisor.services.items()]
