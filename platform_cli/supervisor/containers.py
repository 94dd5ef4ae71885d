"""Starts the workers of releases that run in containers: each release has one, whose zygote forks them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
import shutil
import socket
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from homeport_runtime.loading.environment import QUIET, REFERENCE

from ..errors import HomeportError, ReleaseError
from ..home import Home
from .container_zygote import ContainerProcess, ContainerZygote
from .descriptor_store import DescriptorStore
from .engine import ContainerSpec, Engine, Mount
from .import_effects import read_effects, write_effects
from .launch import Launched
from .release import INSIDE, Container, RunnableRelease
from .room import CACHE, HOME, SESSIONS
from .zygote_key import forkable, key_of

# The label of containers with the home of their platform, by its hash.
LABEL = "homeport.home"
# The folder of containers' zygotes in the descriptor store.
KEPT = "container"
SOCKET_FOLDER, SOCKET = "/run/homeport", "zygote.sock"
# The server's folders in a project's folder.
OWN = ("files", SESSIONS, HOME, CACHE)
# The user of containers where the platform is root; the usual one of images without users.
NOBODY = 65532
# The megabytes that the zygote may have beside what each worker may.
ZYGOTE_MB = 512
# The seconds for a container's start, and the interval in which it is looked whether it still runs.
START_S = 60.0
LOOK_S = 1.0
# The number of containers that are started to find which modules of a layer cannot be forked.
MAX_TRIES = 8


def home_id(home: Home) -> str:
    """Returns what tells the containers and images of a home from those of others."""
    return hashlib.sha256(os.fsencode(home.root)).hexdigest()[:12]


def image_name(home: Home, project: str) -> str:
    """Returns the name of a project's images, without a tag, under which no registry has any (RFC 2606)."""
    return f"homeport.invalid/{home_id(home)}/{project}"


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
        # The release to whose container each project's files were given last.
        self._given: dict[str, str] = {}
        self._store = DescriptorStore()
        self._has_swept = False
        self._leaving: dict[str, asyncio.Task[None]] = {}

    def keep_in(self, store: DescriptorStore) -> None:
        """Takes over the containers whose zygotes are in `store`, and keeps new ones there."""
        self._store = store
        for kept in store.take_below(KEPT):
            control = socket.socket(fileno=kept.descriptors[0])
            control.setblocking(False)
            place, process = kept.name.rpartition("/")[2], ContainerProcess(self._engine, kept.note)
            zygote = ContainerZygote(process, control, place, is_known=False)
            self._zygotes[place.rpartition("-")[0]] = zygote
            zygote.on_end = partial(store.drop, kept.name)

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
            await self._give_files(release)
            return await (await self._zygote(release)).launch(release, sockets)
        finally:
            self._awaited[key] -= 1

    async def _give_files(self, release: RunnableRelease) -> None:
        """Gives the project's files, some of which may have just been placed, to the user of containers."""
        key = self._key(release)
        if self._given.get(release.project) != key:
            await asyncio.to_thread(_make_folders, self._home.project(release.project))
            self._given[release.project] = key

    async def _zygote(self, release: RunnableRelease) -> ContainerZygote:
        key = self._key(release)
        async with self._starting[key]:
            for _ in range(MAX_TRIES):
                zygote = self._zygotes.get(key)
                if zygote is None or not zygote.alive:
                    zygote = self._zygotes[key] = await self._start(release)
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
        if not zygote.lacks(modules):
            return
        answer = await zygote.load(INSIDE.layer, modules, effects.unforkable)
        if answer is not None and (found := effects.with_loaded(answer, modules)) != effects:
            write_effects(release.layer, release.runtime, found)
        if zygote.usable:
            # Of an interrupted zygote nobody would know to which order an answer belongs.
            name = f"{KEPT}/{zygote.place}"
            self._store.keep(name, [zygote.control], zygote.container)
            zygote.on_end = partial(self._store.drop, name)

    async def _sweep(self) -> None:
        """Removes what a platform that was killed has left."""
        if not self._has_swept:
            known = {zygote.container for zygote in self._zygotes.values()}
            for container in await asyncio.to_thread(self._engine.containers, f"{LABEL}={self._home_id}"):
                if container not in known:
                    await asyncio.to_thread(self._engine.remove, container)
            self._has_swept = True

    async def _start(self, release: RunnableRelease) -> ContainerZygote:
        await self._sweep()
        # The engine may still be removing one of the same release.
        place = f"{self._key(release)}-{secrets.token_hex(4)}"
        self._home.temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="container-", dir=self._home.temporary))
        try:
            with contextlib.closing(_listen(folder)) as listener:
                started = await asyncio.to_thread(self._engine.start, self._spec(place, release, folder))
                try:
                    control = await self._accept(listener, started)
                except BaseException:
                    await asyncio.to_thread(self._engine.remove, started)
                    raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return ContainerZygote(ContainerProcess(self._engine, started), control, place)

    async def _accept(self, listener: socket.socket, container: str) -> socket.socket:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + START_S
        connecting = asyncio.ensure_future(loop.sock_accept(listener))
        while not connecting.done() and loop.time() < deadline:
            await asyncio.wait({connecting}, timeout=LOOK_S)
            if not connecting.done() and not await asyncio.to_thread(self._engine.runs, container):
                break
        if connecting.done():
            control, _address = connecting.result()
            control.setblocking(False)
            return control
        connecting.cancel()
        said = await asyncio.to_thread(self._engine.last_words, container)
        raise ReleaseError(
            "\n".join(filter(None, ["the release's container has ended, or does not begin", said])),
            hint="its base needs the Python version of the release, and glibc",
        )

    def _spec(self, place: str, release: RunnableRelease, folder: Path) -> ContainerSpec:
        container = release.container or Container("", "none")
        project = self._home.project(release.project)
        user, group = _owner()
        return ContainerSpec(
            name=place,
            image=container.image,
            command=["zygote", f"{SOCKET_FOLDER}/{SOCKET}"],
            user=f"{user}:{group}",
            environment=_open_variables(release.environment),
            labels={LABEL: self._home_id, "homeport.project": release.project},
            mounts=[
                *(Mount(project / name, str(INSIDE.state / name), read_only=False) for name in OWN),
                Mount(folder, SOCKET_FOLDER),
            ],
            memory_mb=release.manifest["memory_mb"] * max(release.max_workers, release.min_workers, 1) + ZYGOTE_MB,
            network=container.network,
        )

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
                self._zygotes.pop(key, None)
                zygote.close()
                await zygote.ended()
        finally:
            del self._leaving[key]

    async def forget(self, project: str) -> None:
        """Removes the images of a project whose containers are gone."""
        await asyncio.gather(*self._leaving.values())
        with contextlib.suppress(HomeportError):
            await asyncio.to_thread(self._engine.remove_images, image_name(self._home, project))

    async def close(self) -> None:
        zygotes = list(self._zygotes.values())
        self._zygotes.clear()
        for zygote in zygotes:
            zygote.close()
        await asyncio.gather(*self._leaving.values(), *(zygote.ended() for zygote in zygotes))


def _open_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables that everybody may see, since modules read some of them when they are imported."""
    return {**QUIET, **{name: text for name, text in environment.items() if not REFERENCE.search(text)}}


def _listen(folder: Path) -> socket.socket:
    """Listens on the socket in `folder`, however long its path is, for the container's user alone: others cannot enter
    the home.
    """
    folder.chmod(0o711)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.setblocking(False)
    opened = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        listener.bind(f"/proc/self/fd/{opened}/{SOCKET}")
        (folder / SOCKET).chmod(0o666)
        listener.listen(1)
    except BaseException:
        listener.close()
        raise
    finally:
        os.close(opened)
    return listener


def _owner() -> tuple[int, int]:
    """Returns the user and the group of containers: the platform's own, but for root."""
    return (NOBODY, 0) if os.getuid() == 0 else (os.getuid(), os.getgid())


def _make_folders(project: Path) -> None:
    for name in OWN:
        (project / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.getuid() == 0:
            _give_to(NOBODY, project / name)


def _give_to(user: int, folder: Path) -> None:
    """Makes a folder, with all that is in it, the property of `user`, without following what the server has linked."""
    os.chown(folder, user, 0, follow_symlinks=False)
    for _path, folders, files, descriptor in os.fwalk(folder):
        for name in (*folders, *files):
            with contextlib.suppress(FileNotFoundError):
                os.chown(name, user, 0, dir_fd=descriptor, follow_symlinks=False)
