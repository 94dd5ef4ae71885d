"""Runs a session of `homeport dev`, from the first start to Ctrl-C, with one reload after the other."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..config.names import slugify
from ..config.project import Project
from ..errors import HomeportError, PlatformError
from ..home import Home
from ..pipeline.bundle import BundleDraft
from ..pipeline.stages import Stages
from ..supervisor.containers import Containers
from ..supervisor.descriptor_store import DescriptorStore
from ..supervisor.engine import Engine
from ..supervisor.exclusive import beside
from ..supervisor.inspection import inspect_in
from ..supervisor.launchers import Launchers
from ..supervisor.parking import open_parking
from ..supervisor.release import RunnableRelease, read_release
from ..supervisor.service import Service
from ..supervisor.sockets import open_listener
from ..supervisor.zygotes import Zygotes
from .draft import Snapshot, take_snapshot, write_draft
from .watching import folders_of, saves

if TYPE_CHECKING:
    from ..api.log_record import LogRecord

# These are below the ports of deployed projects, so that neither takes the other's.
FIRST_PORT = 8600
LAST_PORT = 8699
# The seconds that open requests have after Ctrl-C.
STOP_S = 2.0
# The number of newest drafts that are kept, since workers may still finish requests on them.
KEPT_DRAFTS = 8

Contract = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reload:
    """Describes a reload: `paths` have changed; `added`, `removed` and `changed` are names of tools."""

    paths: tuple[str, ...]
    seconds: float
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


class Reporter(Protocol):
    """Shows the events of a session."""

    def serving(self, port: int, contract: Contract) -> None: ...

    def reloaded(self, reload: Reload) -> None: ...

    def unchanged(self) -> None: ...

    def failed(self, error: HomeportError) -> None: ...

    def logged(self, record: LogRecord) -> None: ...


def open_port(port: int | None) -> tuple[int, socket.socket]:
    """Listens on `port`, or on the first free one.

    Raises PlatformError if it is taken.
    """
    for candidate in [port] if port else range(FIRST_PORT, LAST_PORT + 1):
        try:
            return candidate, open_listener(candidate)
        except PlatformError:
            continue
    taken = f"port {port} is" if port else f"ports {FIRST_PORT} to {LAST_PORT} are all"
    raise PlatformError(
        f"{taken} taken by another program", hint="name a free one with --port, or none: then dev finds one"
    )


class Session:
    """Serves a project, which `read` reads anew for each reload.

    It shares only layers, runtimes and caches with deploys: drafts, logs and sessions are in `scratch`, which the
    caller removes. The server's working folder is a symlink to the project folder, in which nothing is placed: what it
    writes to relative paths is where `python server.py` would put it.
    """

    def __init__(self, home: Home, scratch: Path, read: Callable[[], Project], reporter: Reporter) -> None:
        self._home = home
        self._scratch = Home(scratch)
        self._read = read
        self._reporter = reporter
        self._workdir = self._scratch.project("dev") / "files"
        self._serving: Snapshot
        self._contract: Contract = {}
        self._modules: tuple[str, ...] = ()
        self._drafts: list[BundleDraft] = []
        self._number = 0
        self._failed = False

    def run(self, first: Snapshot, port: int, listener: socket.socket) -> None:
        """Serves until SIGINT, SIGTERM or SIGHUP.

        Raises HomeportError if the server does not start the first time.
        """
        asyncio.run(self._run(first, port, listener))

    async def _run(self, first: Snapshot, port: int, listener: socket.socket) -> None:
        stopped = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        own = self._scratch.project("dev")
        own.mkdir(parents=True)
        self._workdir.symlink_to(first.project.folder.resolve())
        self._zygotes = Zygotes(self._scratch.platform_log)
        name = first.project.name or slugify(first.project.folder.name) or "server"
        launchers = Launchers(self._zygotes, Containers(self._scratch, Engine()))
        self._service = Service(own, name, port, secrets.token_hex(32), launchers, open_parking(), DescriptorStore())
        self._service.open(listener)
        log = asyncio.create_task(self._follow_log())
        work = asyncio.create_task(self._work(first))
        stop = asyncio.create_task(stopped.wait())
        try:
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            work.cancel()
            stop.cancel()
            await asyncio.wait({work})
            await self._service.close(STOP_S)
            await self._zygotes.close()
            log.cancel()
        if not work.cancelled():
            work.result()

    async def _follow_log(self) -> None:
        async for record in self._service.log.read(follow=True):
            self._reporter.logged(record)

    async def _work(self, first: Snapshot) -> None:
        await self._serve(first)
        self._reporter.serving(self._service.port, self._contract)
        known = first
        while True:
            folders = folders_of(known.project.folder, known.paths)
            async with contextlib.aclosing(saves(known.project, folders)) as watch:
                async for same_folders in watch:
                    known = await self._look(known)
                    if not same_folders or folders_of(known.project.folder, known.paths) != folders:
                        break

    async def _look(self, known: Snapshot) -> Snapshot:
        """Reloads if something has changed, and returns the newest state that could be read."""
        started = time.perf_counter()
        try:
            new = await asyncio.to_thread(take_snapshot, self._read(), self._home, Stages(_ignore, _ignore), _ignore)
            if new.hash == self._serving.hash:
                if self._failed:
                    self._reporter.unchanged()
            elif new.hash != known.hash or self._failed:
                await self._reload(new, started)
        except HomeportError as error:
            self._failed = True
            self._reporter.failed(error)
            return known
        self._failed = False
        return new

    async def _reload(self, new: Snapshot, started: float) -> None:
        paths, before = new.changes_since(self._serving), _tools(self._contract)
        await self._serve(new)
        after = _tools(self._contract)
        self._reporter.reloaded(
            Reload(
                paths,
                time.perf_counter() - started,
                added=tuple(name for name in after if name not in before),
                removed=tuple(name for name in before if name not in after),
                changed=tuple(name for name in after if name in before and before[name] != after[name]),
            )
        )

    async def _serve(self, snapshot: Snapshot) -> None:
        """Loads the present server and switches to it; if that fails, the previous one serves on."""
        draft = await asyncio.to_thread(write_draft, snapshot, self._scratch)
        self._drafts.append(draft)
        self._number += 1
        release = self._release(draft.path)
        found = await beside([self._service], lambda: inspect_in(self._workdir, self._zygotes, release))
        # From now on a zygote imports all of these.
        self._modules = tuple(found["modules"])
        await self._service.activate(self._release(draft.path))
        self._zygotes.keep([release])
        self._serving, self._contract = snapshot, found["contract"] or {}
        for old in self._drafts[:-KEPT_DRAFTS]:
            await asyncio.to_thread(old.__exit__)
        del self._drafts[:-KEPT_DRAFTS]

    def _release(self, draft: Path) -> RunnableRelease:
        release = read_release(self._home, self._service.project, self._number, draft)
        modules = tuple(dict.fromkeys((*release.modules, *self._modules)))
        # Nobody needs a token here, and so nobody has scopes.
        manifest = {**release.manifest, "scopes": None}
        return replace(release, manifest=manifest, files={}, modules=modules, min_workers=1, max_workers=1)


def _tools(contract: Contract) -> dict[str, Any]:
    return {tool["name"]: tool for tool in contract.get("tools", ())}


def _ignore(_: object) -> None:
    """Does nothing, since the stages of a reload are not shown."""


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="homeport-dev-", ignore_cleanup_errors=True)
