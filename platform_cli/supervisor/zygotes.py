"""Manages the platform's zygotes: one per layer, interpreter and runtime, kept while a project uses it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from homeport_runtime.hosts.confinement import Room

from .descriptor_store import DescriptorStore
from .grouping import ZYGOTE_MB, Grouping
from .import_effects import ImportEffects, read_effects, write_effects
from .launch import Launched, PlainLauncher
from .orphan import Orphan
from .release import RunnableRelease
from .room import layer_room
from .zygote import Zygote, ZygoteEnded
from .zygote_key import ZygoteKey, forkable, key_of

# The folder of zygotes in the descriptor store.
KEPT = "zygote"
# The number of idle zygotes, of layers that no project serves any more, that are kept for the next deploy.
SPARE = 2
# The most zygotes; each holds what one layer's servers import, 30 to 100 MB.
MOST = 16
# The number of zygotes that are started to find which modules of a layer cannot be forked.
MAX_TRIES = 8


class Zygotes:
    """Is the quickest launcher for a release: it forks its layer's zygote if there is one, else it starts a plain
    process.
    """

    def __init__(self, log: Path, grouping: Grouping | None = None) -> None:
        self._log = log
        self._grouping = grouping or Grouping.none()
        self._zygotes: dict[ZygoteKey, Zygote] = {}
        self._starting: dict[ZygoteKey, asyncio.Task[Zygote]] = {}
        self._loading: defaultdict[ZygoteKey, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._awaited: Counter[ZygoteKey] = Counter()
        self._plain = PlainLauncher()
        self._store = DescriptorStore()

    def keep_in(self, store: DescriptorStore) -> None:
        """Takes over the zygotes in `store`, and keeps new ones there."""
        self._store = store
        for kept in store.take_below(KEPT):
            try:
                key = ZygoteKey.read(kept.note)
            except (ValueError, TypeError):
                store.close(kept)
                continue
            control = socket.socket(fileno=kept.descriptors[0])
            control.setblocking(False)
            zygote = self._zygotes[key] = Zygote(Orphan(int(kept.name.rpartition("/")[2])), control)
            zygote.on_end = partial(store.drop, kept.name)
            zygote.on_prefork = self._grouping.expect

    async def launch(
        self, release: RunnableRelease, sockets: Sequence[socket.socket], shown: Sequence[Path]
    ) -> Launched:
        launched = await self._launch(release, sockets, shown)
        try:
            return replace(launched, group=await self._grouping.limit(launched.pid, release.manifest["memory_mb"]))
        except BaseException:
            launched.abandon()
            raise

    async def _launch(
        self, release: RunnableRelease, sockets: Sequence[socket.socket], shown: Sequence[Path]
    ) -> Launched:
        if forkable(release):
            with self._kept(release), contextlib.suppress(ZygoteEnded):
                if zygote := await self.prepare(release):
                    return await zygote.launch(release, sockets, shown)
        return await self._plain.launch(release, sockets)

    @contextlib.contextmanager
    def _kept(self, release: RunnableRelease) -> Iterator[None]:
        """Protects the layer's zygotes from `keep` during the block, since somebody waits for one."""
        key = ZygoteKey(release.interpreter, release.layer, release.runtime)
        self._awaited[key] += 1
        try:
            yield
        finally:
            self._awaited[key] -= 1

    async def prepare(self, release: RunnableRelease) -> Zygote | None:
        """Returns a zygote that has the modules of `release`; None if there cannot be one.

        Raises ZygoteEnded if it does not answer.
        """
        async with self._loading[ZygoteKey(release.interpreter, release.layer, release.runtime)]:
            effects = read_effects(release.layer, release.runtime)
            for _ in range(MAX_TRIES):
                key = key_of(release, effects)
                if key is None:
                    return None
                zygote = await self._get(key, layer_room(release))
                known, effects = effects, await self._load(key, zygote, release, effects)
                if effects.unforkable != known.unforkable:
                    # The next zygote of this layer does without the module that was found.
                    zygote.close()
                    await zygote.ended()
                elif key == key_of(release, effects):
                    return zygote if zygote.usable else None
        return None

    async def _load(
        self, key: ZygoteKey, zygote: Zygote, release: RunnableRelease, known: ImportEffects
    ) -> ImportEffects:
        """Loads the release's modules, and returns what is then known of the layer."""
        name = f"{KEPT}/{zygote.pid}"
        if zygote.lacks(release.modules):
            # Of an interrupted zygote nobody would know to which order an answer belongs.
            self._store.drop(name)
        answer = await zygote.load(release.layer, release.modules, known.unforkable)
        if answer and zygote.usable:
            self._store.keep(name, [zygote.control], key.write())
            zygote.on_end = partial(self._store.drop, name)
        effects = known.with_loaded(answer, release.modules) if answer else known
        if effects != known:
            write_effects(release.layer, release.runtime, effects)
        return effects

    async def _get(self, key: ZygoteKey, room: Room | None) -> Zygote:
        zygote = self._zygotes.get(key)
        if zygote is None or not zygote.alive:
            starting = self._starting.get(key)
            if starting is None:
                starting = self._starting[key] = asyncio.create_task(self._start(key, room))
            zygote = await asyncio.shield(starting)
        return zygote

    async def _start(self, key: ZygoteKey, room: Room | None) -> Zygote:
        try:
            with open(self._log, "ab", opener=_private) as log:
                zygote = self._zygotes[key] = await Zygote.start(key, log.fileno(), room)
            zygote.on_prefork = self._grouping.expect
            await self._grouping.limit(zygote.pid, ZYGOTE_MB)
        finally:
            del self._starting[key]
        return self._zygotes[key]

    def keep(self, used: Iterable[RunnableRelease]) -> None:
        """Ends zygotes whose layer none of `used` needs, but for the newest few, and the least recently used beyond
        MOST.

        They are started again when a worker is needed.
        """
        awaited = {key for key, count in self._awaited.items() if count}
        needed = {key_of(release, read_effects(release.layer, release.runtime)) for release in used}
        free = {key: zygote for key, zygote in self._zygotes.items() if key.shared not in awaited}
        spare = sorted((zygote.last_used, key) for key, zygote in free.items() if key not in needed)
        for _, key in spare[:-SPARE]:
            self._zygotes.pop(key).close()
        oldest = sorted((zygote.last_used, key) for key, zygote in self._zygotes.items())
        for _, key in oldest[:-MOST]:
            if key in free:
                self._zygotes.pop(key).close()
        self._grouping.sweep()

    async def close(self) -> None:
        await asyncio.gather(*self._starting.values(), return_exceptions=True)
        zygotes = list(self._zygotes.values())
        self._zygotes.clear()
        for zygote in zygotes:
            zygote.close()
        await asyncio.gather(*(zygote.ended() for zygote in zygotes))
        await self._grouping.close()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
