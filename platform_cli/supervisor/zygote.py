"""Zygotes as the supervisor sees them: one per layer, interpreter and runtime, kept while a project uses it.

Libraries read their configuration when they are imported: a server that sets a variable which its layer's modules look
at (FASTMCP_LOG_LEVEL, HF_HOME, OMP_NUM_THREADS) has a zygote of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ReleaseError
from ..secrets.references import referenced
from .descriptor_store import DescriptorStore
from .import_effects import ImportEffects, read_effects, write_effects
from .launch import PYTHON_FLAGS, Launched, Pipes, PlainLauncher
from .release import RunnableRelease, base_environment

BOOT = (
    "import sys, socket; sys.path.append(sys.argv.pop(1)); from homeport_runtime.hosts.zygote import Zygote; "
    "import homeport_runtime.hosts.worker; Zygote(socket.socket(fileno=int(sys.argv[1]))).run()"
)
# What answers which order.
ANSWERS = {"load": "loaded", "fork": "forked"}
# Under this are zygotes among what outlives the control plane.
KEPT = "zygote"
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

    def write(self) -> str:
        """For `read`."""
        return json.dumps([*map(str, self[:3]), self.variables])

    @classmethod
    def read(cls, text: str) -> Key:
        """Raises ValueError or TypeError."""
        interpreter, layer, runtime, variables = json.loads(text)
        return cls(Path(interpreter), Path(layer), Path(runtime), tuple((name, value) for name, value in variables))

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


class _Orphan:
    """The process of a zygote that a control plane before this one has started: nobody tells its end."""

    returncode = None

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    async def wait(self) -> None:
        """Returns when it has ended, or nobody has taken note of its end for a second."""
        for _ in range(100):
            try:
                os.kill(self.pid, 0)
            except ProcessLookupError:
                return
            await asyncio.sleep(0.01)


class Zygote:
    """A running zygote. Orders are given one at a time."""

    def __init__(self, process: asyncio.subprocess.Process | _Orphan, control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._lock = asyncio.Lock()
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._children: dict[int, asyncio.Future[int | None]] = {}
        self._loaded: set[str] = set()
        # Of an orphan nobody knows what it was told before.
        self._is_known = not isinstance(process, _Orphan)
        self.on_end: Callable[[], None] = lambda: None
        self.usable = True
        self.alive = True
        self.last_used = asyncio.get_running_loop().time()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, key: Key, log: int) -> Zygote:
        ours, theirs = socket.socketpair()
        try:
            process = await asyncio.create_subprocess_exec(
                str(key.interpreter), *PYTHON_FLAGS, "-c", BOOT, str(key.runtime), str(theirs.fileno()),
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

    async def load(self, layer: Path, modules: Sequence[str], skip: Sequence[str]) -> Mapping[str, Any] | None:
        """Imports what is not imported yet, but for `skip`, and returns what was found meanwhile. A module that starts
        threads makes the zygote unusable. Raises ZygoteEnded.
        """
        missing = [name for name in modules if name not in self._loaded]
        if not self.lacks(modules) or not self.usable:
            return None
        order = {"do": "load", "layer": str(layer), "modules": missing, "skip": list(skip)}
        answer = await self._order(order, (), LOAD_TIMEOUT_S)
        self._is_known = True
        self._loaded.update(missing)
        self.usable = answer["threads"] == 1
        return answer

    def lacks(self, modules: Sequence[str]) -> bool:
        return not self._is_known or not self._loaded.issuperset(modules)

    async def launch(self, _release: RunnableRelease, sockets: Sequence[socket.socket]) -> Launched:
        pipes = Pipes.open()
        descriptors = [pipes.control[1].fileno(), pipes.stdout[1], pipes.stderr[1]]
        descriptors += [sock.fileno() for sock in sockets]
        try:
            forked = await self._order({"do": "fork"}, descriptors, FORK_TIMEOUT_S)
        except BaseException:
            pipes.close_ours()
            raise
        finally:
            pipes.close_theirs()
        self.last_used = asyncio.get_running_loop().time()
        return Launched(forked["pid"], pipes.control[0], pipes.stdout[0], pipes.stderr[0], forked["ended"])

    async def _order(self, order: dict[str, Any], descriptors: Sequence[int], timeout: float) -> dict[str, Any]:
        async with self._lock:
            exchange = asyncio.ensure_future(self._exchange(order, descriptors, timeout))
            try:
                return await asyncio.shield(exchange)
            except asyncio.CancelledError:
                # The answer that nobody waits for any more must not be taken for the next order's.
                await asyncio.wait({exchange})
                raise

    async def _exchange(self, order: dict[str, Any], descriptors: Sequence[int], timeout: float) -> dict[str, Any]:
        try:
            self._control.setblocking(True)
            socket.send_fds(self._control, [json.dumps(order).encode() + b"\n"], descriptors)
            self._control.setblocking(False)
            answer = await asyncio.wait_for(self._answer(ANSWERS[order["do"]]), timeout)
        except (OSError, TimeoutError) as error:
            self.close()
            raise ZygoteEnded("the zygote does not answer") from error
        if answer["event"] == "gone":
            self.close()
            raise ZygoteEnded("the zygote ended")
        return answer

    async def _answer(self, event: str) -> dict[str, Any]:
        """The next that is `event`, or says that it will not come: others are to a control plane that has ended."""
        while (answer := await self._answers.get())["event"] not in (event, "gone"):
            pass
        return answer

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        rest = b""
        try:
            while data := await loop.sock_recv(self._control, 64 * 1024):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._hear(json.loads(line))
        except (OSError, ValueError):
            # Half of a message, whose other half a control plane that was killed had read.
            pass
        self.close()

    def _hear(self, message: dict[str, Any]) -> None:
        """A process id is a child's until its end is told: then the system may give it to another one."""
        if message["event"] == "exited":
            ended = self._children.pop(message["pid"], None)
            if ended is not None and not ended.done():
                ended.set_result(message["code"])
            return
        if message["event"] == "forked":
            message["ended"] = self._children[message["pid"]] = asyncio.get_running_loop().create_future()
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
        self.on_end()
        self._answers.put_nowait({"event": "gone"})
        for child in self._children.values():
            if not child.done():
                child.set_result(None)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def control(self) -> int:
        return self._control.fileno()

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
        self._store = DescriptorStore()

    def keep_in(self, store: DescriptorStore) -> None:
        """What is in `store` from the last control plane goes on; what is started from here on outlives this one."""
        self._store = store
        for kept in store.take_below(KEPT):
            try:
                key = Key.read(kept.note)
            except (ValueError, TypeError):
                store.close(kept)
                continue
            pid, control = int(kept.name.rpartition("/")[2]), socket.socket(fileno=kept.descriptors[0])
            control.setblocking(False)
            zygote = self._zygotes[key] = Zygote(_Orphan(pid), control)
            zygote.on_end = partial(store.drop, kept.name)

    async def launch(self, release: RunnableRelease, sockets: Sequence[socket.socket]) -> Launched:
        if forkable(release):
            with self._kept(release), contextlib.suppress(ZygoteEnded):
                if zygote := await self.prepare(release):
                    return await zygote.launch(release, sockets)
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
                zygote = await self._get(key)
                known, effects = effects, await self._load(key, zygote, release, effects)
                if effects.unforkable != known.unforkable:
                    # Found by trying: the next zygote of this layer goes without it.
                    zygote.close()
                    await zygote.ended()
                elif key == key_of(release, effects):
                    return zygote if zygote.usable else None
        return None

    async def _load(self, key: Key, zygote: Zygote, release: RunnableRelease, known: ImportEffects) -> ImportEffects:
        """Returns what is known of the layer afterwards."""
        name = f"{KEPT}/{zygote.pid}"
        if zygote.lacks(release.modules):
            # One that is interrupted has an answer to give that nobody would know what to do with.
            self._store.drop(name)
        answer = await zygote.load(release.layer, release.modules, known.unforkable)
        if answer and zygote.usable:
            self._store.keep(name, [zygote.control], key.write())
            zygote.on_end = partial(self._store.drop, name)
        effects = known.with_loaded(answer, release.modules) if answer else known
        if effects != known:
            write_effects(release.layer, release.runtime, effects)
        return effects

    async def _get(self, key: Key) -> Zygote:
        zygote = self._zygotes.get(key)
        if zygote is None or not zygote.alive:
            starting = self._starting.get(key)
            if starting is None:
                starting = self._starting[key] = asyncio.create_task(self._start(key))
            zygote = await asyncio.shield(starting)
        return zygote

    async def _start(self, key: Key) -> Zygote:
        try:
            with open(self._log, "ab", opener=_private) as log:
                self._zygotes[key] = await Zygote.start(key, log.fileno())
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
