"""Puts one release of a project in the place of another, which serves on if the new one does not come up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

from ..errors import ReleaseError
from .crew import Crew
from .entrance import Entrance
from .health import Health
from .release import RunnableRelease
from .scaling import Scaling
from .workdir import WorkDir
from .worker import Worker


class Switching:
    """Changes the release that a project's workers serve; whoever asks for that holds the lock of `scaling`."""

    def __init__(self, crew: Crew, entrance: Entrance, workdir: WorkDir, scaling: Scaling, health: Health) -> None:
        self._crew = crew
        self._entrance = entrance
        self._workdir = workdir
        self._scaling = scaling
        self._health = health

    async def switch(self, release: RunnableRelease) -> None:
        """Starts a worker of `release`, and retires the old ones once it accepts.

        Raises the worker's own reason, as InspectError or ReleaseError.
        """
        with self._placed(release):
            worker = await self._crew.start(release, proven=False)
        old = self._crew.serving
        self._serve_with(worker)
        for each in old:
            self._crew.retire(each)
        # Only after this every new connection is answered by the new release.
        await asyncio.gather(*(each.stopped() for each in old))

    async def replace(self, release: RunnableRelease) -> None:
        """Does the same after the old workers have ended, while connections wait."""
        async with self.all_stopped():
            with self._placed(release):
                worker = await self._crew.start(release, proven=False)
            self._serve_with(worker)

    def _serve_with(self, worker: Worker) -> None:
        self._crew.serving, self._scaling.release = [worker], worker.release
        self._health.recovered()
        self._entrance.release()

    @contextlib.contextmanager
    def _placed(self, release: RunnableRelease) -> Iterator[None]:
        """Puts the files of `release` into the working folder, and those of the previous one back if
        the block fails.
        """
        previous = self._scaling.release
        self._entrance.unwatch()
        try:
            self._workdir.place(release.bundle / "app", release.files, release.folders)
            yield
        except BaseException:
            # What is wrong with the folder itself has been reported.
            with contextlib.suppress(ReleaseError):
                self._workdir.place(
                    *((previous.bundle / "app", previous.files) if previous else (release.bundle / "app", {}))
                )
            self._scaling.watch()
            raise

    @contextlib.asynccontextmanager
    async def all_stopped(self) -> AsyncIterator[None]:
        """Stops all workers for the block, and starts one again afterwards if any ran and the block
        has started none.
        """
        ran = bool(self._crew.running)
        self._entrance.unwatch()
        self._entrance.collect()
        try:
            # A silent worker may have been given more time.
            for worker in set(self._crew.running):
                self._crew.retire(worker)
            await self._crew.retired()
            self._entrance.end_collecting()
            yield
        finally:
            if not self._crew.serving:
                self._scaling.watch()
                if ran:
                    self._scaling.wake()
