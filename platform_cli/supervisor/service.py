"""Runs one project on the embedded platform: its socket, its release, its workers, and every change between them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from homeport_runtime.guard.access import Access

from ..audit.book import AuditBook
from ..audit.chain import NOTHING, Head
from ..audit.files import audit_folder
from ..config.project import AuditSettings
from ..errors import HomeportError, PlatformError
from .crew import Crew
from .descriptor_store import DescriptorStore
from .entrance import Entrance
from .exclusive import is_exclusive
from .health import Health
from .journal import Journal
from .kept import KeptProject, Known
from .launch import AdoptingLauncher
from .logbook import LogBook
from .parking import Parking
from .release import RunnableRelease
from .scaling import Scaling
from .switching import Switching
from .tasks import Tasks
from .workdir import WorkDir
from .worker import DRAIN_LIMIT_S

# The interval, in seconds, in which it is checked whether a port that another program has is free again.
REOPEN_S = 0.5


class Service:
    """Serves one project; without a worker it watches the socket, and a connection waits in the kernel while one
    starts.
    """

    def __init__(
        self,
        folder: Path,
        project: str,
        port: int,
        state_key: str,
        launcher: AdoptingLauncher,
        parking: Parking,
        store: DescriptorStore,
        audit_head: Head = NOTHING,
    ) -> None:
        self.project = project
        self.port = port
        self.log = LogBook(folder / "logs", project)
        self.journal = Journal(self.log, AuditBook(audit_folder(folder), project, audit_head))
        # Whether the last activation worked only after the old release had stopped, though nobody had configured that.
        self.had_to_stop_first = False
        self.journal.audit.on_full = lambda: self._tell_audit(has_room=False)
        workdir = WorkDir(folder)
        self._health = Health()
        self._tasks = Tasks()
        kept = KeptProject(store, project)
        self._entrance = Entrance(project, port, parking, kept)
        self._crew = Crew(
            folder,
            workdir.path,
            state_key,
            launcher,
            self._entrance,
            kept,
            self.journal,
            self._health,
            self._tasks,
        )
        self._scaling = Scaling(self._crew, self._entrance, parking, self.log, self._health, self._tasks)
        self._switching = Switching(self._crew, self._entrance, workdir, self._scaling, self._health)

    @property
    def release(self) -> RunnableRelease | None:
        """Returns what serves, or would serve when somebody connects; None before the first deploy has worked."""
        return self._scaling.release

    @release.setter
    def release(self, release: RunnableRelease) -> None:
        self._scaling.release = release

    @property
    def state(self) -> str:
        """Returns `running`, `unresponsive` (no worker gives a sign of life), `idle`, `failing`, or `down` (no socket).

        In `idle` the next connection starts a worker.
        """
        if not self._entrance.is_open:
            return "down"
        if serving := self._crew.serving:
            hang = all(worker.pulse.is_unresponsive for worker in serving)
            return "unresponsive" if hang else "running"
        return "failing" if self._health.backoff_s else "idle"

    @property
    def last_error(self) -> str | None:
        """Returns what is wrong now, or was when a worker was last started; None if nothing was."""
        for worker in self._crew.running:
            if worker.pulse.is_unresponsive:
                return (
                    f"a worker gives no sign of life for {worker.release.unresponsive_s:g} s: its log says where it is"
                )
        return self._health.error

    @property
    def workers(self) -> int:
        """Returns how many workers run now, including those that finish their last requests."""
        return len(self._crew.running)

    async def look_for_audit_room(self) -> None:
        """Keeps room for the audit log's lines where no call may be without one, and tells the workers if there is
        none, or again some.
        """
        settings = self.release.audited if self.release else None
        is_required = settings is not None and settings.required
        if is_required or self._crew.audit_has_room is False:
            # On a slow disk it takes long to write.
            kept = is_required and await asyncio.to_thread(self.journal.audit.keep_room)
            self._tell_audit(has_room=not is_required or kept)

    def _tell_audit(self, *, has_room: bool) -> None:
        if has_room != self._crew.audit_has_room:
            self._crew.tell_audit(has_room=has_room)

    @property
    def audit_keep_days(self) -> int:
        """Returns for how many days the audit log keeps a line."""
        settings = self.release.audited if self.release else None
        return (settings or AuditSettings()).keep_days

    @property
    def processes(self) -> list[int]:
        return self._crew.processes

    @property
    def is_retiring(self) -> bool:
        """Tells whether a retiring worker still runs, and with it the processes that it has started."""
        return bool(self._crew.retiring)

    async def retired(self) -> None:
        """Waits until all retiring workers have ended."""
        await self._crew.retired()

    def open(self, listener: socket.socket | None = None) -> None:
        """Takes the listening socket, or opens it on the project's port.

        Raises PlatformError if another program has the port.
        """
        self._entrance.open(listener)

    async def resume(self, release: RunnableRelease, known: Known = lambda _number: None) -> None:
        """Resumes the project after a restart of the platform.

        Workers that the last control plane has left continue, and `known` finds the release that each serves. Else
        `release` serves as soon as somebody connects, or at once if it asks for workers that always run. While the port
        is taken, for instance by a worker of a killed platform, the service is down.
        """
        self._scaling.release, self._health.error = release, None
        adopted = await self._crew.adopt(release, known)
        self._entrance.take_parked()
        if self._crew.serving:
            self._entrance.release()
        if release.stop_first and self._crew.retiring:
            self._tasks.spawn(self._hold_until_retired())
        if not all(each.is_current or each.leaves for each in adopted):
            self._tasks.spawn(self._renew(release))
        try:
            self.open()
        except PlatformError as error:
            self._health.error = error.message
            self._tasks.spawn(self._reopen())
        self._scaling.refill()

    async def _hold_until_retired(self) -> None:
        """Prevents workers from starting until all retiring ones have ended."""
        async with self._scaling.lock:
            await self.retired()

    async def _renew(self, release: RunnableRelease) -> None:
        """Activates the release again, because an adopted worker was started with another fingerprint.

        A kill came between two steps, or this is another version.
        """
        with contextlib.suppress(HomeportError, OSError):
            await self.activate(release)

    def fail(self, reason: str) -> None:
        """Stops listening, because nothing can serve; `reason` is what is wrong."""
        self._health.error = reason
        self._entrance.give_up_sockets()

    async def _reopen(self) -> None:
        while not self._entrance.is_open:
            await asyncio.sleep(REOPEN_S)
            with contextlib.suppress(PlatformError):
                self.open_if_down()

    def open_if_down(self) -> None:
        """Opens the socket if the service is down.

        Raises PlatformError while another program has the port.
        """
        if not self._entrance.is_open:
            self.open()
            self._health.error = None
            self._scaling.refill()

    async def activate(self, release: RunnableRelease) -> None:
        """Warms up a worker of `release` and switches to it; if that fails the old release serves as before.

        The old one stops first if `release` says so, or if a worker beside it fails as if it were in the way. Raises
        the worker's own reason, as InspectError or ReleaseError.
        """
        async with self._scaling.lock:
            self.open_if_down()
            self.had_to_stop_first = False
            try:
                await (self._switching.replace(release) if release.stop_first else self._switching.switch(release))
            except HomeportError as error:
                if release.stop_first or not self.workers or not is_exclusive(error):
                    raise
                await self._switching.replace(release)
                self.had_to_stop_first = True
        self._scaling.fill()

    def report_uses(self, report: Callable[[tuple[str, ...]], None]) -> None:
        """Reports the hashes of the client tokens that callers show."""
        self._crew.on_used = report

    def report_refusals(self, report: Callable[[str | None], None]) -> None:
        """Reports callers that have signed in and were refused (messages.Refused)."""
        self._crew.on_refused = report

    async def admit(self, release: RunnableRelease, access: Access) -> None:
        """Lets in whom `access` names and nobody else, without starting workers anew, and returns when they know it.

        `release` is the one that serves, as it runs from now on.
        """
        self._scaling.release = release
        self._crew.admit(access)
        self._scaling.fill()
        self._tasks.spawn(self._admit_started(access))
        await self._crew.heard()

    async def _admit_started(self, access: Access) -> None:
        """Tells it to a worker that was being started meanwhile."""
        async with self._scaling.lock:
            if self.release is not None and self.release.access == access:
                self._crew.admit(access)

    @contextlib.asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Stops all workers for the block, while connections wait, and starts one again afterwards if any ran."""
        async with self._scaling.lock, self._switching.all_stopped():
            yield

    async def close(self, limit_s: float = DRAIN_LIMIT_S) -> None:
        """Stops accepting, gives requests `limit_s` seconds to finish, ends every worker and closes the socket."""
        self._entrance.unwatch()
        await self._tasks.end()
        await self._crew.close(limit_s)
        self._entrance.close()
        self.journal.close()

    async def leave(self) -> None:
        """Ends this control plane's part, while everything else continues."""
        self._entrance.unwatch()
        await self._tasks.end()
        await self._crew.leave()
        self.journal.close()
