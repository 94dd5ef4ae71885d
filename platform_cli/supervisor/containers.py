"""Starts the workers of releases that run in containers: each release has one, whose zygote forks them."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..errors import ReleaseError
from ..home import Home
from ..own_code import is_open, open_to_all
from .container_removal import Removal
from .container_spec import LABEL, home_id, inspected_parts, make_folders
from .container_start import ContainerStarter, kept_zygote
from .container_zygote import ContainerZygote
from .descriptor_store import DescriptorStore
from .engine import Engine, Mount
from .import_effects import read_effects, write_effects
from .launch import Launched
from .published_zygote import PublishedZygote
from .release import INSIDE, RunnableRelease
from .zygote_key import forkable, key_of

# The folder of containers' zygotes in the descriptor store.
KEPT = "container"
# The most containers; each holds what its release imports, 70 to 90 MB.
MOST = 16
# A container ends when its release was idle for so many times as long as lets a worker end: it starts more slowly.
PATIENCE = 10
# The number of containers that are started to find which modules of a layer cannot be forked.
MAX_TRIES = 8


class Containers:
    """Is the launcher of releases with a container."""

    def __init__(self, home: Home, engine: Engine) -> None:
        self._home = home
        self._engine = engine
        self._home_id = home_id(home)
        # By release, as `_key` names it.
        self._zygotes: dict[str, ContainerZygote] = {}
        self._starting: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._awaited: Counter[str] = Counter()
        self._needed: frozenset[str] = frozenset()
        self._store = DescriptorStore()
        self._sweeping = asyncio.Lock()
        self._has_swept = False
        self._leaving: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._removal = Removal(engine)
        self._starter = ContainerStarter(home, engine, self._removal)

    def keep_in(self, store: DescriptorStore) -> None:
        """Takes over the containers whose zygotes are in `store`, and keeps new ones there."""
        self._store = store
        for kept in store.take_below(KEPT):
            control = socket.socket(fileno=kept.descriptors[0])
            control.setblocking(False)
            place = kept.name.rpartition("/")[2]
            zygote = kept_zygote(self._removal, kept.note, control, place)
            self._zygotes[place.rpartition("-")[0]] = zygote
            zygote.on_end, zygote.is_kept = partial(store.drop, kept.name), True

    def adopt(self, launched: Launched, place: str) -> Launched:
        """Returns a worker of an earlier control plane, in the container `place`, as this one can follow it."""
        zygote = self._zygotes.get(place.rpartition("-")[0])
        if zygote is not None and zygote.place == place:
            return zygote.adopt(launched)
        # The container has ended, and the worker with it.
        return replace(launched, place=place, signal=lambda *_: None)

    async def launch(
        self, release: RunnableRelease, sockets: Sequence[socket.socket], _shown: Sequence[Path] = ()
    ) -> Launched:
        """Raises ReleaseError if the container does not start, or ends."""
        key = self._key(release)
        self._awaited[key] += 1
        try:
            # A release without a container may have had them since, or a project of that name that is gone.
            await asyncio.to_thread(make_folders, self._home.project(release.project))
            zygote = await self._zygote(release)
            launched = await zygote.launch(release, sockets)
        finally:
            self._awaited[key] -= 1
        self._end_later(key, zygote, PATIENCE * release.idle_s)
        return launched

    def _end_later(self, key: str, zygote: ContainerZygote, seconds: float) -> None:
        """Removes a container in which nothing runs for so long; the next connection starts it again."""

        async def wait() -> None:
            used = zygote.last_used
            await zygote.workers_ended()
            await asyncio.sleep(seconds)
            if zygote.last_used == used and not self._awaited[key]:
                await self._remove(key, zygote)

        self._spawn(wait())

    def _end_oldest(self) -> None:
        """Removes containers beyond MOST in which nothing runs, the one used least recently first."""
        idle = sorted(
            (zygote.last_used, key)
            for key, zygote in self._zygotes.items()
            if zygote.is_idle and key not in self._leaving and not self._awaited[key]
        )
        for _, key in idle[: max(len(self._zygotes) - MOST, 0)]:
            self._spawn(self._remove(key, self._zygotes[key]))

    def is_published(self, release: RunnableRelease) -> bool:
        """Tells whether the release's container is reached by published ports, or would be if it started now."""
        zygote = self._zygotes.get(self._key(release))
        return isinstance(zygote, PublishedZygote) if zygote is not None else self._starter.passes is False

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _remove(self, key: str, zygote: ContainerZygote) -> None:
        if self._zygotes.get(key) is zygote:
            del self._zygotes[key]
        zygote.close()
        await zygote.ended()

    async def _zygote(self, release: RunnableRelease) -> ContainerZygote:
        key = self._key(release)
        async with self._starting[key]:
            for _ in range(MAX_TRIES):
                zygote = self._zygotes.get(key)
                if zygote is None or not zygote.alive:
                    zygote = self._zygotes[key] = await self._start(release, self._home.project(release.project))
                    self._end_oldest()
                await self._load(zygote, release)
                if zygote.usable:
                    return zygote
                # The next one of this layer does without the module that was found.
                zygote.close()
                await zygote.ended()
        raise ReleaseError(
            "the server's packages start threads when they are imported", hint="--target local serves it"
        )

    async def _load(self, zygote: ContainerZygote, release: RunnableRelease) -> None:
        """Lets the zygote import what the release imports, as far as it can be forked, and keeps it when it has.

        What a secret decides about is left to the workers.
        """
        effects = read_effects(release.layer, release.runtime)
        modules = release.modules if forkable(release) and key_of(release, effects) is not None else ()
        answer = await zygote.load(INSIDE.layer, modules, effects.unforkable)
        if answer is not None and (found := effects.with_loaded(answer, modules)) != effects:
            write_effects(release.layer, release.runtime, found)
        if zygote.usable and not zygote.is_kept:
            # Only now, since of an interrupted zygote nobody would know to which order an answer belongs.
            name = f"{KEPT}/{zygote.place}"
            self._store.keep(name, [zygote.control], zygote.note)
            zygote.on_end, zygote.is_kept = partial(self._store.drop, name), True

    async def _sweep(self) -> None:
        """Removes what a platform that was killed has left."""
        async with self._sweeping:
            if self._has_swept:
                return
            known = {zygote.container for zygote in self._zygotes.values()}
            for container in await asyncio.to_thread(self._engine.containers, f"{LABEL}={self._home_id}"):
                if container not in known:
                    await self._removal.remove(container)
            self._has_swept = True

    @asynccontextmanager
    async def for_inspection(self, release: RunnableRelease, folder: Path) -> AsyncIterator[ContainerZygote]:
        """Yields the launcher of a bundle's draft, in a container of its own that is based on the draft's base, and
        whose own folders are in `folder`.

        Raises ReleaseError if the container does not start.
        """
        await asyncio.to_thread(make_folders, folder)
        if not is_open(release.layer):
            # A version that knew no other users has made it.
            await asyncio.to_thread(open_to_all, release.layer)
        zygote = await self._start(release, folder, inspected_parts(release))
        try:
            await zygote.load(INSIDE.layer, (), ())
            yield zygote
        finally:
            zygote.close()
            await zygote.ended()

    async def _start(self, release: RunnableRelease, project: Path, shown: Sequence[Mount] = ()) -> ContainerZygote:
        await self._sweep()
        return await self._starter.start(release, self._key(release), project, shown)

    def _key(self, release: RunnableRelease) -> str:
        return f"homeport-{self._home_id}-{release.project}-v{release.number}"

    def keep(self, used: Iterable[RunnableRelease]) -> None:
        """Removes containers that none of `used` needs, each when its last worker has ended."""
        self._needed = frozenset(map(self._key, used))
        for key, zygote in self._zygotes.items():
            if key not in self._needed and key not in self._leaving:
                self._leaving[key] = asyncio.ensure_future(self._remove_unused(key, zygote))

    async def _remove_unused(self, key: str, zygote: ContainerZygote) -> None:
        try:
            await zygote.workers_ended()
            # A rollback may need it again, and a deploy of its project may be about to.
            if key not in self._needed and not self._awaited[key]:
                await self._remove(key, zygote)
        finally:
            del self._leaving[key]

    async def left(self, release: RunnableRelease) -> None:
        """Waits until the container of a release that nobody needs is gone."""
        if leaving := self._leaving.get(self._key(release)):
            await asyncio.wait({leaving})

    async def settled(self) -> None:
        """Waits until all containers that nobody needs are gone."""
        await asyncio.gather(*self._leaving.values())

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        zygotes = list(self._zygotes.values())
        self._zygotes.clear()
        for zygote in zygotes:
            zygote.close()
        await asyncio.gather(*self._leaving.values(), *(zygote.ended() for zygote in zygotes))
