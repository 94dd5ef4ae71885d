"""Records the operations of all projects: counts each at once, and stores them each second, in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from ..api.error_group import ErrorGroup, ErrorGroupDetail
from ..api.metrics import By, Metrics
from ..errors import PlatformError
from .error_event import ErrorEvent
from .error_groups import find_group, list_appeared, list_groups
from .error_store import Failed
from .operation import Operation
from .prometheus import Counted, Counters
from .rollups import HOUR_S
from .store import Happened, TelemetryStore
from .summary import summarize

FLUSH_S = 1.0
# The operations that wait for the disk at most; beyond it they are counted as lost.
MAX_WAITING = 100_000
# The errors that do: each is some kilobytes.
MAX_ERRORS = 2_000
Answer = TypeVar("Answer")


class Recorder:
    """Keeps telemetry in the file at `path`. That it cannot be written costs metrics, and nothing else."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._counters = Counters()
        self._waiting: list[Happened] = []
        self._failed: list[Failed] = []
        self._lost = 0
        self._open: Mapping[str, int] = {}
        self._store: TelemetryStore | None = None
        # One thread, so that all that is done with the file happens in order.
        self._thread = ThreadPoolExecutor(1, "telemetry")

    def record(self, project: str, release: int, operation: Operation) -> None:
        self._counters.count(project, operation)
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append(Happened(time.time(), project, release, operation))
        else:
            self._lost += 1

    def record_error(self, project: str, release: int, error: ErrorEvent) -> None:
        """Adds an error to its group; of more than MAX_ERRORS in a second some are in none."""
        if len(self._failed) < MAX_ERRORS:
            self._failed.append(Failed(time.time(), project, release, error))

    async def watch(self, projects: Callable[[], Collection[str]]) -> None:
        """Stores what is recorded, at intervals, and removes what is too old, or of none of the `projects`; it never
        returns.
        """
        since_clean = float(HOUR_S)
        while True:
            if since_clean >= HOUR_S:
                since_clean = 0.0
                kept = frozenset(projects())
                await self._done(self._submit(partial(_clean, time.time(), kept)))
                await self._done(self._submit(self._count_open))
            await self.flush()
            await asyncio.sleep(FLUSH_S)
            since_clean += FLUSH_S

    async def flush(self) -> None:
        """Stores what was recorded so far; what cannot be stored is lost."""
        if self._waiting:
            batch, self._waiting = self._waiting, []
            if not await self._done(self._submit(lambda store: store.write(batch))):
                self._lost += len(batch)
        if self._failed:
            failed, self._failed = self._failed, []
            await self._done(self._submit(lambda store: store.errors.write(failed)))
            await self._done(self._submit(self._count_open))

    async def summary(self, project: str, since: float, until: float, by: By) -> Metrics:
        """Returns what a project did.

        Raises PlatformError if the file cannot be read, as all that reads it does.
        """
        return await self.read(lambda path: summarize(path, project, since, until, by))

    async def error_groups(self, project: str) -> list[ErrorGroup]:
        """Returns the groups of errors of a project, those that are open first.

        Raises PlatformError if the file cannot be read.
        """
        return await self.read(lambda path: list_groups(path, project))

    async def error_group(self, project: str, group: int) -> ErrorGroupDetail | None:
        """Returns a group with its samples, None if the project has none with this id.

        Raises PlatformError if the file cannot be read.
        """
        return await self.read(lambda path: find_group(path, project, group))

    async def appeared_errors(self, since: float, until: float) -> list[ErrorGroup]:
        """Returns the groups of all projects that are new or came back in that time.

        Raises PlatformError if the file cannot be read.
        """
        return await self.read(lambda path: list_appeared(path, since, until))

    def open_errors(self, project: str) -> int:
        """Returns how many groups of errors are open, as far as they are stored; none if the file cannot be read."""
        return self._open.get(project, 0)

    async def change_errors(self, project: str, group: int, state: str, release: int | None) -> None:
        """Changes the state of a group; `release` is the newest one of its project.

        Raises PlatformError if the file cannot be written.
        """
        await self.flush()
        if not await self._done(
            self._submit(lambda store: store.errors.change(project, group, state, release, time.time()))
        ):
            raise PlatformError("the file of the errors cannot be written", hint="is the disk full?")
        await self._done(self._submit(self._count_open))

    async def read(self, work: Callable[[Path], Answer]) -> Answer:
        """Returns what `work` reads from the file, in a thread, once everything that was recorded is in it."""
        await self.flush()
        if self._store is None:
            # The file may be one of an earlier version.
            await self._done(self._submit(lambda _store: None))
        try:
            return await asyncio.to_thread(work, self._path)
        except sqlite3.Error as error:
            raise PlatformError(
                f"metrics and errors cannot be read: {error}",
                hint=f"if {self._path} is broken, remove it while the platform is stopped: it has nothing else",
            ) from error

    def text(self, workers: dict[str, int], *, open_metrics: bool = False) -> str:
        """Returns all counters for Prometheus."""
        return self._counters.text(workers, self._lost, open_metrics=open_metrics)

    def counted(self) -> list[Counted]:
        """Returns all counters, for OpenTelemetry."""
        return self._counters.counted()

    def forget(self, project: str) -> None:
        """Removes what is known of a project; what the platform does not come to is removed at its next start."""
        self._counters.forget(project)
        self._waiting = [each for each in self._waiting if each.project != project]
        self._failed = [each for each in self._failed if each.project != project]
        self._submit(lambda store: store.forget(project))
        self._submit(self._count_open)

    def close(self) -> None:
        """Stores what was recorded and closes the file."""
        batch, self._waiting = self._waiting, []
        if batch:
            self._submit(lambda store: store.write(batch))
        failed, self._failed = self._failed, []
        if failed:
            self._submit(lambda store: store.errors.write(failed))
        self._thread.submit(self._close)
        self._thread.shutdown()

    def _close(self) -> None:
        if self._store is not None:
            with contextlib.suppress(sqlite3.Error):
                self._store.close()

    def _count_open(self, store: TelemetryStore) -> None:
        self._open = store.errors.count_open()

    def _submit(self, work: Callable[[TelemetryStore], object]) -> Future[bool]:
        return self._thread.submit(self._work, work)

    def _work(self, work: Callable[[TelemetryStore], object]) -> bool:
        """Does something with the file, and tells whether that worked: the disk may be full or the file broken."""
        try:
            if self._store is None:
                self._store = TelemetryStore(self._path)
            work(self._store)
        except (OSError, sqlite3.Error):
            return False
        return True

    @staticmethod
    async def _done(future: Future[bool]) -> bool:
        return await asyncio.wrap_future(future)


def _clean(now: float, projects: Collection[str], store: TelemetryStore) -> None:
    store.clean(now)
    store.keep_only(projects)
