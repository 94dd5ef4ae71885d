"""Represents one zygote in the supervisor, which starts it and orders it to import and to fork
(homeport_runtime.hosts.zygote).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from homeport_runtime.hosts.confinement import Room

from ..errors import ReleaseError
from .launch import PYTHON_FLAGS, Launched, Pipes
from .orphan import Orphan
from .release import RunnableRelease, base_environment
from .zygote_key import ZygoteKey
from .zygote_messages import (
    MAX_MESSAGE,
    Exited,
    Forked,
    Limits,
    Loaded,
    Message,
    Preforked,
    Signalled,
    is_below,
    read_message,
)

# Runtimes of releases of earlier versions have no keeper, so their zygotes are in no room.
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
# The seconds for importing everything once, and for a fork.
LOAD_TIMEOUT_S = 120.0
FORK_TIMEOUT_S = 10.0


class ZygoteEnded(ReleaseError):
    """Says that a zygote ended before it answered: another one, or a plain process, has to do its work."""


class Child(NamedTuple):
    """Is a process that was forked; `ended` has its exit code, negative for a signal, or None if nobody could tell."""

    pid: int
    ended: asyncio.Future[int | None]


class ZygoteProcess(Protocol):
    """Is what a zygote's process is used for; an asyncio.subprocess.Process is one."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    def kill(self) -> None: ...

    async def wait(self) -> object: ...


Answer = TypeVar("Answer", Loaded, Child, Signalled, Limits)


class Zygote:
    """Represents a running zygote, which gets one order at a time."""

    def __init__(self, process: ZygoteProcess, control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._lock = asyncio.Lock()
        # None when there will be no more answers.
        self._answers: asyncio.Queue[Loaded | Child | Signalled | Limits | None] = asyncio.Queue()
        self._children: dict[int, asyncio.Future[int | None]] = {}
        self._loaded: set[str] = set()
        # Nobody knows which orders an orphan has had.
        self._is_known = not isinstance(process, Orphan)
        self.on_end: Callable[[], None] = lambda: None
        self.on_prefork: Callable[[int], None] = _ignore
        self.usable = True
        self.alive = True
        self.last_used = asyncio.get_running_loop().time()
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, key: ZygoteKey, log: int, room: Room | None) -> Zygote:
        """Starts a zygote, which enters `room`, if there is one, before it imports anything of a layer."""
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
        """Imports the missing modules, except `skip`, and returns what was found, None if nothing was to be done.

        A module that starts threads makes the zygote unusable. Raises ZygoteEnded if it does not answer.
        """
        missing = [name for name in modules if name not in self._loaded]
        if not self.lacks(modules) or not self.usable:
            return None
        order = {"do": "load", "layer": str(layer), "modules": missing, "skip": list(skip)}
        answer = await self._order(Loaded, order, (), LOAD_TIMEOUT_S)
        self._loaded.update(missing)
        self.usable = answer.threads == 1
        return answer

    def lacks(self, modules: Sequence[str]) -> bool:
        return not self._is_known or not self._loaded.issuperset(modules)

    async def launch(
        self, release: RunnableRelease, sockets: Sequence[socket.socket], shown: Sequence[Path]
    ) -> Launched:
        pipes = Pipes.open()
        descriptors = [pipes.control[1].fileno(), pipes.stdout[1], pipes.stderr[1]]
        descriptors += [sock.fileno() for sock in sockets]
        try:
            order: dict[str, Any] = {"do": "fork", "shown": list(map(str, shown))}
            if release.user is not None:
                order["user"] = release.user
            forked = await self._order(Child, order, descriptors, FORK_TIMEOUT_S)
            if not self._may_have(forked.pid):
                self.close()
                raise ZygoteEnded("the zygote names a process that is not its own")
        except BaseException:
            pipes.close_ours()
            raise
        finally:
            pipes.close_theirs()
        self.last_used = asyncio.get_running_loop().time()
        return Launched(forked.pid, pipes.control[0], pipes.stdout[0], pipes.stderr[0], forked.ended)

    def _may_have(self, pid: int) -> bool:
        """Tells whether a process that the zygote names is one that it has forked."""
        return is_below(pid, self._process.pid)

    async def _order(
        self, answer: type[Answer], order: Mapping[str, Any], descriptors: Sequence[int], timeout: float
    ) -> Answer:
        async with self._lock:
            exchange = asyncio.ensure_future(self._exchange(order, descriptors, timeout))
            try:
                given = await asyncio.shield(exchange)
            except asyncio.CancelledError:
                # The answer that nobody waits for must not be taken for that to the next order.
                await asyncio.wait({exchange})
                raise
        if not isinstance(given, answer):
            self.close()
            raise ZygoteEnded("the zygote ended, or answers what was not asked")
        return given

    async def _exchange(
        self, order: Mapping[str, Any], descriptors: Sequence[int], timeout: float
    ) -> Loaded | Child | Signalled | Limits | None:
        try:
            self._control.setblocking(True)
            message = json.dumps(order).encode() + b"\n"
            if descriptors:
                socket.send_fds(self._control, [message], descriptors)
            else:
                self._control.sendall(message)
            self._control.setblocking(False)
            return await asyncio.wait_for(self._answers.get(), timeout)
        except (OSError, TimeoutError) as error:
            self.close()
            raise ZygoteEnded("the zygote does not answer") from error

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        rest = b""
        # Something that is no message ends the zygote, as its own end does.
        with contextlib.suppress(OSError, ValueError):
            while (data := await loop.sock_recv(self._control, 64 * 1024)) and len(rest) < MAX_MESSAGE:
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._hear(read_message(line))
        self.close()

    def _hear(self, message: Message) -> None:
        """Handles a message; a process id belongs to a child until its end is reported, after which the system may
        reuse it.
        """
        match message:
            case Exited():
                ended = self._children.pop(message.pid, None)
                if ended is not None and not ended.done():
                    ended.set_result(message.code)
            case Preforked():
                if is_below(message.pid, self._process.pid):
                    self.on_prefork(message.pid)
            case Forked() if self._is_known:
                end = self._children[message.pid] = asyncio.get_running_loop().create_future()
                self._answers.put_nowait(Child(message.pid, end))
            case Forked():
                """For a control plane that has ended."""
            case Signalled() | Limits():
                self._answers.put_nowait(message)
            case Loaded():
                self._is_known = True
                self._answers.put_nowait(message)

    def close(self) -> None:
        """Ends the zygote, but not the workers that it has forked.

        Whoever waits for an answer, or for a worker's end, gets None now, since nothing more will be reported.
        """
        self.usable, self.alive = False, False
        self._reader.cancel()
        # Only then, since the loop must not mistake another socket with the same number for it.
        self._reader.add_done_callback(lambda _: self._control.close())
        if self._process.returncode is None:
            self._process.kill()
        self.on_end()
        self._answers.put_nowait(None)
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


def _ignore(_pid: int) -> None:
    """Does nothing, until somebody groups what is preforked."""
