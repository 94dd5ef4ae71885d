"""Starts the workers of releases that run in containers: each release has one, whose zygote forks them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import socket
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from homeport_runtime.loading.environment import QUIET, REFERENCE

from ..errors import ReleaseError
from ..home import Home
from .container_zygote import ContainerProcess, ContainerZygote
from .descriptor_store import DescriptorStore
from .engine import ContainerSpec, Engine, Mount
from .import_effects import read_effects, write_effects
from .launch import PYTHON_FLAGS, Launched
from .release import INSIDE, Container, RunnableRelease
from .room import CACHE, HOME, SESSIONS
from .zygote_key import forkable, key_of

# The label of containers with the home of their platform, by its hash.
LABEL = "homeport.home"
# The folder of containers' zygotes in the descriptor store.
KEPT = "container"
RUNTIME = "/opt/homeport/runtime"
SOCKET_FOLDER, SOCKET = "/run/homeport", "zygote.sock"
BOOT = f"""
import sys
sys.path.append("{RUNTIME}")
from homeport_runtime.hosts.container.zygote import main
main("{SOCKET_FOLDER}/{SOCKET}")
"""
# The user of containers where the platform is root; the usual one of images without users.
NOBODY = 65532
# The megabytes that the zygote may have beside what each worker may.
ZYGOTE_MB = 512
# The seconds for a container's start, and the interval in which it is looked whether it still runs.
START_S = 60.0
LOOK_S = 1.0
# The number of containers that are started to find which modules of a layer cannot be forked.
MAX_TRIES = 8


class Containers:
    """Is the launcher of releases with a container."""

    def __init__(self, home: Home, engine: Engine) -> None:
        self._home = home
        self._engine = engine
        self._home_id = hashlib.sha256(os.fsencode(home.root)).hexdigest()[:12]
        self._zygotes: dict[str, ContainerZygote] = {}
        self._starting: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._store = DescriptorStore()
        self._has_swept = False
        self._leaving: set[asyncio.Task[None]] = set()

    def keep_in(self, store: DescriptorStore) -> None:
        """Takes over the containers whose zygotes are in `store`, and keeps new ones there."""
        self._store = store
        for kept in store.take_below(KEPT):
            control = socket.socket(fileno=kept.descriptors[0])
            control.setblocking(False)
            name, process = kept.name.rpartition("/")[2], ContainerProcess(self._engine, kept.note)
            zygote = self._zygotes[name] = ContainerZygote(process, control, name, is_known=False)
            zygote.on_end = partial(store.drop, kept.name)

    def adopt(self, launched: Launched, place: str) -> Launched:
        """Returns a worker of an earlier control plane, in the container `place`, as this one can follow it."""
        zygote = self._zygotes.get(place)
        if zygote is not None:
            return zygote.adopt(launched)
        # The container has ended, and the worker with it.
        return replace(launched, place=place, signal=lambda *_: None)

    async def launch(
        self, release: RunnableRelease, sockets: Sequence[socket.socket], _shown: Sequence[Path] = ()
    ) -> Launched:
        """Raises ReleaseError if the container does not start, or ends."""
        return await (await self._zygote(release)).launch(release, sockets)

    async def _zygote(self, release: RunnableRelease) -> ContainerZygote:
        name = self._name(release)
        async with self._starting[name]:
            for _ in range(MAX_TRIES):
                zygote = self._zygotes.get(name)
                if zygote is None or not zygote.alive:
                    zygote = self._zygotes[name] = await self._start(name, release)
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

    async def _start(self, name: str, release: RunnableRelease) -> ContainerZygote:
        await self._sweep()
        self._home.temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="container-", dir=self._home.temporary))
        try:
            with contextlib.closing(_listen(folder)) as listener:
                started = await asyncio.to_thread(self._engine.start, self._spec(name, release, folder))
                try:
                    control = await self._accept(listener, started)
                except BaseException:
                    await asyncio.to_thread(self._engine.remove, started)
                    raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return ContainerZygote(ContainerProcess(self._engine, started), control, name)

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

    def _spec(self, name: str, release: RunnableRelease, folder: Path) -> ContainerSpec:
        container = release.container or Container("")
        project = self._home.project(release.project)
        own = [project / part for part in ("files", SESSIONS, HOME, CACHE)]
        user, group = (NOBODY, 0) if os.getuid() == 0 else (os.getuid(), os.getgid())
        for each in own:
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
            if os.getuid() == 0:
                give_to(user, each)
        for each in (release.layer, release.runtime, release.bundle):
            # The container's user is another one; others cannot enter the folder above.
            each.chmod(0o755)
        shown = {release.layer: INSIDE.layer, release.runtime: RUNTIME, release.bundle: INSIDE.bundle}
        return ContainerSpec(
            name=name,
            image=container.base,
            command=["python3", *PYTHON_FLAGS, "-c", BOOT],
            user=f"{user}:{group}",
            environment=_open_variables(release.environment),
            labels={LABEL: self._home_id, "homeport.project": release.project},
            mounts=[
                *(Mount(source, str(target)) for source, target in shown.items()),
                *(Mount(each, str(INSIDE.state / each.name), read_only=False) for each in own),
                Mount(folder, SOCKET_FOLDER),
            ],
            memory_mb=release.manifest["memory_mb"] * max(release.max_workers, release.min_workers, 1) + ZYGOTE_MB,
            network=container.network,
        )

    def _name(self, release: RunnableRelease) -> str:
        return f"homeport-{self._home_id}-{release.project}-v{release.number}"

    def keep(self, used: Iterable[RunnableRelease]) -> None:
        """Removes containers that none of `used` needs, each when its last worker has ended."""
        needed = {self._name(release) for release in used}
        for name in [name for name in self._zygotes if name not in needed]:
            task = asyncio.ensure_future(_remove_unused(self._zygotes.pop(name)))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def close(self) -> None:
        zygotes = list(self._zygotes.values())
        self._zygotes.clear()
        for zygote in zygotes:
            zygote.close()
        await asyncio.gather(*self._leaving, *(zygote.ended() for zygote in zygotes))


async def _remove_unused(zygote: ContainerZygote) -> None:
    await zygote.workers_ended()
    zygote.close()
    await zygote.ended()


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


def give_to(user: int, folder: Path) -> None:
    """Makes a folder, with all that is in it, the property of `user`, without following what the server has linked."""
    os.chown(folder, user, 0, follow_symlinks=False)
    for _path, folders, files, descriptor in os.fwalk(folder):
        for name in (*folders, *files):
            with contextlib.suppress(FileNotFoundError):
                os.chown(name, user, 0, dir_fd=descriptor, follow_symlinks=False)
