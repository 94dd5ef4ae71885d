"""Sends what each export lacks, each in a task of its own, so that no receiver waits for another."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

from ..errors import HomeportError
from ..outbound.requests import Outbound
from .reading import Place, lines_after
from .receivers import Collector, NotTakenError, Receiver, Webhook, trust
from .store import Export, ExportStore
from .syslog import Syslog

# The seconds between looks for new lines.
LOOK_S = 1.0
# The seconds after which what was not taken is sent again: at first, at most, and at most if the receiver asks for it.
FIRST_S, MOST_S, LONGEST_S = 1.0, 300.0, 3600.0


class Exporter:
    """Sends lines; `heads` returns the number of the last durable line of each project, beyond which none is sent: a
    crash could put another in its place. `folder_of` returns where a project's audit log is.
    """

    def __init__(
        self, exports: ExportStore, heads: Callable[[], Mapping[str, int]], folder_of: Callable[[str], Path]
    ) -> None:
        self._exports = exports
        self._heads = heads
        self._folder_of = folder_of
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def work(self) -> None:
        """Sends for as long as it runs."""
        try:
            while True:
                # On a full or broken disk the next turn tries again.
                with contextlib.suppress(sqlite3.Error):
                    self._keep_up()
                await asyncio.sleep(LOOK_S)
        finally:
            for task in self._tasks.values():
                task.cancel()

    def _keep_up(self) -> None:
        """Begins exports that are new, and ends those that were removed."""
        wanted = {each.id: each for each in self._exports.all()}
        for gone in self._tasks.keys() - wanted.keys():
            self._tasks.pop(gone).cancel()
        for new in wanted.keys() - self._tasks.keys():
            self._tasks[new] = asyncio.create_task(self._export(wanted[new]))

    async def _export(self, export: Export) -> None:
        receiver: Receiver | None = None
        places: dict[str, Place | None] = {}
        failures = 0
        try:
            while True:
                try:
                    receiver = receiver or self._receiver(export)
                    has_sent = await self._send_some(export, receiver, places)
                except Exception as error:
                    # Whatever is wrong, the lines stay, and are sent later.
                    failures += 1
                    with contextlib.suppress(sqlite3.Error):
                        self._exports.failed(export.id, _reason(error))
                    await asyncio.sleep(_wait_s(failures, error))
                else:
                    failures = 0
                    if not has_sent:
                        await asyncio.sleep(LOOK_S)
        finally:
            if receiver is not None:
                receiver.close()

    def _receiver(self, export: Export) -> Receiver:
        access = self._exports.access(export)
        if export.kind == "syslog":
            return Syslog(access, private=export.private)
        outbound = Outbound(context=trust(access))
        kind = Webhook if export.kind == "webhook" else Collector
        return kind(access, outbound, private=export.private)

    async def _send_some(self, export: Export, receiver: Receiver, places: dict[str, Place | None]) -> bool:
        """Sends a part of what each project has, and returns whether there was anything."""
        has_sent = False
        for project in self._exports.behind(export, heads := self._heads()):
            cursor = self._exports.cursor(export.id, project)
            lines, place = await asyncio.to_thread(
                lines_after, self._folder_of(project), cursor, heads[project], places.get(project)
            )
            if lines:
                await receiver.send(project, lines)
                # A project that was removed meanwhile leaves no number behind: another may get its name.
                if self._heads().get(project, 0) >= lines[-1].seq:
                    self._exports.taken(export.id, project, lines[-1].seq)
                has_sent = True
            places[project] = place
        return has_sent


def _wait_s(failures: int, error: Exception) -> float:
    asked = error.retry_s if isinstance(error, NotTakenError) else 0.0
    return max(min(FIRST_S * 2.0 ** min(failures - 1, 10), MOST_S), min(asked, LONGEST_S))


def _reason(error: Exception) -> str:
    """Returns what a person reads; texts of libraries could have the URL in them."""
    if isinstance(error, HomeportError):
        return error.message
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the receiver's certificate is not trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "the receiver has not answered in time"
    if isinstance(error, NotTakenError):
        return str(error)
    return error.strerror or str(error) if isinstance(error, OSError) else type(error).__name__
