"""Zygotes as the supervisor sees them: one per layer, interpreter and runtime, kept while a project uses it.

Libraries read their configuration when they are imported: a server that sets a variable which its layer's modules look
at (FASTMCP_LOG_LEVEL, HF_HOME, OMP_NUM_THREADS) has a zygote of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from homeport_runtime.hosts.confinement import Room

from ..errors import ReleaseError
from ..secrets.references import referenced
from .import_effects import ImportEffects, read_effects, write_effects
from .launch import PYTHON_FLAGS, Launched, Pipes, PlainLauncher
from .release import RunnableRelease, base_environment
from .room import layer_room
from .zygote_messages import MAX_MESSAGE, Exited, Forked, Loaded, is_below, read_message

# Runtimes of releases that an earlier homeport made have no keeper: their zygotes are in no room.
BOOT = """
import socket, sys
sys.path.append(sys.argv.pop(1))
try:
    from homeport_runtime.hosts.keeper import main
except ImportError:
    import homeport_runtime.hosts.worker
    from homeport_runtime.hosts.zygote import Zygote
    Zygote(socket.socket(fileno=int(sys.argv[1]))).run()
else:
    main(*sys.argv[1:])
"""
# Seconds for importing everything once, and for a fork.
LOAD_TIMEOUT_S = 120.0
FORK_TIMEOUT_S = 10.0
# Idle zygotes of layers that no project serves any more, kept for the next deploy.
SPARE = 2
# Zygotes at most: each holds what one layer's servers import, 30 to 100 MB.
MOST = 16
# Zygotes that are started to find which modules of a layer cannot be forked.
MAX_TRIES = 8


class ZygoteEnded(ReleaseError):
    """It ended before it answered: its work is for another one, or for a plain process."""


class Key(NamedTuple):
    """Workers with the same key can be forked from the same zygote. `variables` are those that its modules look at when
    they are loaded.
    """

    interpreter: Path
    layer: Path
    runtime: Path
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def shared(self) -> Key:
        """The same without a server's own variables."""
        return self._replace(variables=())


def key_of(release: RunnableRelease, effects: ImportEffects) -> Key | None:
    """None where a fork would not serve `release` as a plain process does: a secret decides how its modules are loaded,
    and a zygote never sees secrets.
    """
    early = effects.early(release.environment)
    if referenced(early):
        return None
    return Key(release.interpreter, release.layer, release.runtime, tuple(early.items()))


def forkable(release: RunnableRelease) -> bool:
    """Linux only: on macOS system frameworks refuse to be forked."""
    return release.cold_start_optimization and sys.platform == "linux"


class Child(NamedTuple):
    """A process that was forked; `ended` has its exit code, negative for a signal, or None if nobody could tell."""

    pid: int
    ended: asyncio.Future[int | None]


Answer = TypeVar("Answer", Loaded, Child)


class Zygote:
    """A running zygote. Orders are given one at a time."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._lock = asyncio.Lock()
        # None when there will be no more.
        self._answers: asyncio.Queue[Loaded | Child | None] = asyncio.Queue()
        self._children: dict[int, asyncio.Future[int | None]] = {}
        self._loaded: set[str] = set()
        self.usable = True
        self.alive = True
        self.last_used = asyncio.get_running_loop().time()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, key: Key, log: int, room: Room | None) -> Zygote:
        """In `room`, if there is one, before it imports anything of a layer."""
        ours, theirs = socket.socketpair()
        try:
            process = await asyncio.create_subprocess_exec(
                str(key.interpreter), *PYTHON_FLAGS, "-c", BOOT, str(key.runtime), str(theirs.fileno()),
                *([room.to_json()] if room is not None else []),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                cwd="/",
                env=base_environment() | dict(key.variables),
            )  # fmt: skip
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        return cls(process, ours)

    async def load(self, layer: Path, modules: Sequence[str], skip: Sequence[str]) -> Loaded | None:
        """Imports what is not imported yet, but for `skip`, and returns what was found meanwhile. A module that starts
        threads makes the zygote unusable. Raises ZygoteEnded.
        """
        missing = [name for name in modules if name not in self._loaded]
        if not missing or not self.usable:
            return None
        order = {"do": "load", "layer": str(layer), "modules": missing, "skip": list(skip)}
        answer = await self._order(Loaded, order, (), LOAD_TIMEOUT_S)
        self._loaded.update(missing)
        self.usable = answer.threads == 1
        return answer

    async def launch(
        self, _release: RunnableRelease, sockets: Sequence[socket.socket], shown: Sequence[Path]
    ) -> Launched:
        pipes = Pipes.open()
        descriptors = [pipes.control[1].fileno(), pipes.stdout[1], pipes.stderr[1]]
        descriptors += [sock.fileno() for sock in sockets]
        try:
            order = {"do": "fork", "shown": list(map(str, shown))}
            forked = await self._order(Child, order, descriptors, FORK_TIMEOUT_S)
            if not is_below(forked.pid, self._process.pid):
                self.close()
                raise ZygoteEnded("the zygote names a process that is not its own")
        except BaseException:
            pipes.close_ours()
            raise
        finally:
            pipes.close_theirs()
        self.last_used = asyncio.get_running_loop().time()
        return Launched(forked.pid, pipes.control[0], pipes.stdout[0], pipes.stderr[0], forked.ended)

    async def _order(
        self, answer: type[Answer], order: Mapping[str, Any], descriptors: Sequence[int], timeout: float
    ) -> Answer:
        async with self._lock:
            exchange = asyncio.ensure_future(self._exchange(order, descriptors, timeout))
            try:
                given = await asyncio.shield(exchange)
            except asyncio.CancelledError:
                # The answer that nobody waits for any more must not be taken for the next order's.
                await asyncio.wait({exchange})
                raise
        if not isinstance(given, answer):
            self.close()
            raise ZygoteEnded("the zygote ended, or answers what was not asked")
        return given

    async def _exchange(
        self, order: Mapping[str, Any], descriptors: Sequence[int], timeout: float
    ) -> Loaded | Child | None:
        try:
            self._control.setblocking(True)
            socket.send_fds(self._control, [json.dumps(order).encode() + b"\n"], descriptors)
            self._control.setblocking(False)
            return await asyncio.wait_for(self._answers.get(), timeout)
        except (OSError, TimeoutError) as error:
            self.close()
            raise ZygoteEnded("the zygote does not answer") from error

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        rest = b""
        # What is no message ends it, as its own end does.
        with contextlib.suppress(OSError, ValueError):
            while (data := await loop.sock_recv(self._control, 64 * 1024)) and len(rest) < MAX_MESSAGE:
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._hear(read_message(line))
        self.close()

    def _hear(self, message: Loaded | Forked | Exited) -> None:
        """A process id is a child's until its end is told: then the system may give it to another one."""
        match message:
            case Exited():
                ended = self._children.pop(message.pid, None)
                if ended is not None and not ended.done():
                    ended.set_result(message.code)
            case Forked():
                end = self._children[message.pid] = asyncio.get_running_loop().create_future()
                self._answers.put_nowait(Child(message.pid, end))
            case Loaded():
                self._answers.put_nowait(message)

    def close(self) -> None:
        """Workers that were forked go on. Whoever waits for an answer, or for the end of one of them, is told now:
        nobody will be later.
        """
        self.usable, self.alive = False, False
        self._reader.cancel()
        # Not before: the loop must not take another socket of the same number for it.
        self._reader.add_done_callback(lambda _: self._control.close())
        if self._process.returncode is None:
            self._process.kill()
        self._answers.put_nowait(None)
        for child in self._children.values():
            if not child.done():
                child.set_result(None)

    async def ended(self) -> None:
        await self._process.wait()


class Zygotes:
    """The quickest launcher for a release: its layer's zygote where there is one, else a plain process."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._zygotes: dict[Key, Zygote] = {}
        self._starting: dict[Key, asyncio.Task[Zygote]] = {}
        self._loading: defaultdict[Key, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._awaited: Counter[Key] = Counter()
        self._plain = PlainLauncher()

    async def launch(
        self, release: RunnableRelease, sockets: Sequence[socket.socket], shown: Sequence[Path]
    ) -> Launched:
        if forkable(release):
            with self._kept(release), contextlib.suppress(ZygoteEnded):
                if zygote := await self.prepare(release):
                    return await zygote.launch(release, sockets, shown)
        return await self._plain.launch(release, sockets)

    @contextlib.contextmanager
    def _kept(self, release: RunnableRelease) -> Iterator[None]:
        """Meanwhile `keep` leaves the layer's zygotes alone: somebody waits for one."""
        key = Key(release.interpreter, release.layer, release.runtime)
        self._awaited[key] += 1
        try:
            yield
        finally:
            self._awaited[key] -= 1

    async def prepare(self, release: RunnableRelease) -> Zygote | None:
        """A zygote that has the modules of `release`; None where there cannot be one. Raises ZygoteEnded."""
        async with self._loading[Key(release.interpreter, release.layer, release.runtime)]:
            effects = read_effects(release.layer, release.runtime)
            for _ in range(MAX_TRIES):
                key = key_of(release, effects)
                if key is None:
                    return None
                zygote = await self._get(key, layer_room(release))
                known, effects = effects, await self._load(zygote, release, effects)
                if effects.unforkable != known.unforkable:
                    # Found by trying: the next zygote of this layer goes without it.
                    zygote.close()
                    await zygote.ended()
                elif key == key_of(release, effects):
                    return zygote if zygote.usable else None
        return None

    async def _load(self, zygote: Zygote, release: RunnableRelease, known: ImportEffects) -> ImportEffects:
        """Returns what is known of the layer afterwards."""
        answer = await zygote.load(release.layer, release.modules, known.unforkable)
        effects = known.with_loaded(answer, release.modules) if answer else known
        if effects != known:
            write_effects(release.layer, release.runtime, effects)
        return effects

    async def _get(self, key: Key, room: Room | None) -> Zygote:
        zygote = self._zygotes.get(key)
        if zygote is None or not zygote.alive:
            starting = self._starting.get(key)
            if starting is None:
                starting = self._starting[key] = asyncio.create_task(self._start(key, room))
            zygote = await asyncio.shield(starting)
        return zygote

    async def _start(self, key: Key, room: Room | None) -> Zygote:
        try:
            with open(self._log, "ab", opener=_private) as log:
                self._zygotes[key] = await Zygote.start(key, log.fileno(), room)
        finally:
            del self._starting[key]
        return self._zygotes[key]

    def keep(self, used: Iterable[RunnableRelease]) -> None:
        """Ends zygotes whose layer none of `used` needs, but for the newest few, and the least recently used ones
        beyond MOST: they are started again when a worker is needed.
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

    async def close(self) -> None:
        await asyncio.gather(*self._starting.values(), return_exceptions=True)
        zygotes = list(self._zygotes.values())
        self._zygotes.clear()
        for zygote in zygotes:
            zygote.close()
        await asyncio.gather(*(zygote.ended() for zygote in zygotes))


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
