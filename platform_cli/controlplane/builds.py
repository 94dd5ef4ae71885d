"""Builds a bundle of an uploaded project or a commit on the platform, and reports each step."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO

from ..api.build_event import BuildEvent, BuildFailed, Progress
from ..api.failure import failure_of
from ..api.inspection import Inspected
from ..config.environment import check_variable
from ..config.load import load_project
from ..config.project import Project
from ..config.sources import NPM, PYPI, read_package_source
from ..config.stages import with_tables
from ..errors import BuildError, HomeportError, InputError
from ..home import Home
from ..pipeline.build import build, here
from ..pipeline.model import Bundle
from ..platform_client.upload import Description, unpack_project
from ..pushes.deployer import Emit, Read, told_stages
from ..temporary import temporary_folder
from .platform import Platform

# The number of builds that run at the same time; others wait.
MAX_BUILDS = 2
# The seconds that one build may take.
TIME_LIMIT_S = 1800.0


class Builds:
    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._slots = asyncio.Semaphore(MAX_BUILDS)

    async def run(self, archive: IO[bytes]) -> AsyncIterator[BuildEvent]:
        """Yields `start` and `end` of stages, `note`, and last `bundle` or `error`; closing the generator ends the
        build.
        """
        events: asyncio.Queue[BuildEvent] = asyncio.Queue()
        task = asyncio.create_task(self._build(archive, events.put_nowait))
        try:
            while True:
                event = await events.get()
                yield event
                if event["event"] in ("bundle", "error"):
                    return
        finally:
            task.cancel()

    async def _build(self, archive: IO[bytes], emit: Callable[[BuildEvent], None]) -> None:
        try:
            bundle = await self.build(lambda folder: _read(*unpack_project(archive, folder), self._platform.home), emit)
        except HomeportError as error:
            emit(_error(error))
        except OSError as error:
            emit(_error(BuildError(f"the platform cannot build: {error}", hint="see its platform.log")))
        except Exception:
            emit(_error(BuildError("the platform cannot build: see its platform.log")))
            raise
        else:
            emit({"event": "bundle", "hash": bundle.hash, "contract": bundle.manifest["contract"]})
        finally:
            archive.close()

    async def build(self, read: Read, emit: Emit) -> Bundle:
        """Builds a bundle, in a thread, of what `read` puts into a folder.

        Raises BuildError if it takes too long, and every error of the build.
        """
        if self._slots.locked():
            emit({"event": "note", "text": "waiting for other builds to end"})
        try:
            async with self._slots, asyncio.timeout(TIME_LIMIT_S):
                return await self._build_in_thread(read, emit)
        except TimeoutError:
            raise BuildError(f"the build took longer than {TIME_LIMIT_S:g} s", hint="deploy again") from None

    async def _build_in_thread(self, read: Read, emit: Emit) -> Bundle:
        loop = asyncio.get_running_loop()
        gone = threading.Event()

        def tell(event: Progress) -> None:
            # A thread cannot be cancelled, so it ends itself when it reports something.
            if gone.is_set():
                raise BuildError("nobody waits for this build any more")
            loop.call_soon_threadsafe(emit, event)

        def inspect(draft: Path, project: Project, *, in_container: bool) -> Inspected:
            container = self._platform.containers.for_inspection(draft, project) if in_container else None
            work = self._platform.releases.inspect(draft.name, project.name, container=container)
            return asyncio.run_coroutine_threadsafe(work, loop).result()

        def work() -> Bundle:
            with temporary_folder("build") as folder:
                project, stages, containers = read(folder), told_stages(tell), self._platform.containers
                in_container = asyncio.run_coroutine_threadsafe(containers.wants(project), loop).result()
                built = build(
                    project,
                    self._platform.home,
                    stages,
                    lambda draft: inspect(draft, project, in_container=in_container),
                    lambda text: tell({"event": "note", "text": text}),
                    partial(containers.packages_for, project) if in_container else here,
                )
                if in_container:
                    containers.make(built, project, stages)
                return built.bundle

        building = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            # The slot stays taken until the thread has ended.
            return await asyncio.shield(building)
        except asyncio.CancelledError:
            gone.set()
            await asyncio.wait({building})
            building.exception()
            raise


def _read(description: Description, folder: Path, home: Home) -> Project:
    if description.path.startswith((PYPI, NPM)):
        project = read_package_source(description.path, description.args, home)
    else:
        project = load_project(folder / description.path, description.args, top=folder)
    try:
        given = {key: check_variable(key, value) for key, value in description.variables.items()}
    except ValueError as error:
        raise InputError(f"--env {error}") from None
    name = description.project or project.name
    if description.stage is not None:
        project = with_tables(project, description.stage)
    environment = {**project.environment, **given}
    target = description.target or project.target
    return replace(project, name=name, environment=environment, upgrade=description.upgrade, target=target)


def _error(error: HomeportError) -> BuildFailed:
    return {"event": "error", **failure_of(error)}
