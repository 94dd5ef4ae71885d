"""Starts a worker's process, plainly or by a fork of a zygote; both return the same handle."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from homeport_runtime.hosts.cgroups import Group

from ..errors import ReleaseError
from .release import RunnableRelease

BOOT = (
    "import sys, socket; sys.path.append(sys.argv.pop(1)); from homeport_runtime.hosts.worker import main; "
    "fds = [socket.socket(fileno=int(fd)) for fd in sys.argv[1:]]; main(fds[0], fds[1:])"
)
# Isolated and without the interpreter's own site-packages, so that a worker sees only its layer.
PYTHON_FLAGS = ("-I", "-S", "-X", "utf8")


NO_GROUP = Group()


def send_signal(pid: int, number: int) -> None:
    """Signals a process of this machine or, with its id negated, its process group, as kill(2) does, if it exists."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


@dataclass(frozen=True, slots=True)
class Launched:
    """Is a process that was started.

    It has the process id, the supervisor's end of the control channel, the output, and the end: the exit code, negative
    for a signal, None if nobody could tell. `group` limits it with all that it starts. `place` is the container that it
    is in, empty for a process of this machine: only there has its id a meaning, and only there `signal` does what
    `send_signal` does here.
    """

    pid: int
    control: socket.socket
    stdout: int
    stderr: int
    ended: Awaitable[int | None]
    group: Group = NO_GROUP
    place: str = ""
    signal: Callable[[int, int], None] = send_signal

    def abandon(self) -> None:
        """Ends the process, which has no work yet, by the end of its channel."""
        self.control.close()
        os.close(self.stdout)
        os.close(self.stderr)


def end_of(code: int | None) -> str:
    """Describes how a `Launched` process has ended by its exit code, None if that was not seen."""
    if code is not None and code < 0:
        # Real-time signals have no names.
        names = {number.value: number.name for number in signal.Signals}
        return f"killed by {names.get(-code, f'signal {-code}')}"
    return "its end was not seen" if code is None else f"exit {code}"


class Launcher(Protocol):
    async def launch(
        self, release: RunnableRelease, sockets: Sequence[socket.socket], shown: Sequence[Path]
    ) -> Launched:
        """Starts a worker; `shown` are the folders that it may see of those that are hidden from its zygote."""
        ...


class AdoptingLauncher(Launcher, Protocol):
    """Is a launcher that also knows the containers of an earlier control plane."""

    def adopt(self, launched: Launched, place: str) -> Launched:
        """Returns a worker that was started in the container `place`, with its end and its signals."""
        ...


@dataclass(frozen=True, slots=True)
class Pipes:
    """Holds the pipes of a worker's process, with both ends of each."""

    control: tuple[socket.socket, socket.socket]
    stdout: tuple[int, int]
    stderr: tuple[int, int]

    @classmethod
    def open(cls) -> Pipes:
        """Opens all of the pipes or none, since those of a failed start would never be closed."""
        with contextlib.ExitStack() as opened:
            control = socket.socketpair()
            stdout = os.pipe()
            for end in stdout:
                opened.callback(os.close, end)
            made = cls(control, stdout, os.pipe())
            opened.pop_all()
        return made

    def close_theirs(self) -> None:
        self.control[1].close()
        os.close(self.stdout[1])
        os.close(self.stderr[1])

    def close_ours(self) -> None:
        self.control[0].close()
        os.close(self.stdout[0])
        os.close(self.stderr[0])


class PlainLauncher:
    """Starts a new process of the release's interpreter."""

    async def launch(
        self, release: RunnableRelease, sockets: Sequence[socket.socket], _shown: Sequence[Path] = ()
    ) -> Launched:
        pipes = Pipes.open()
        handed = [pipes.control[1].fileno(), *(sock.fileno() for sock in sockets)]
        try:
            process = await asyncio.create_subprocess_exec(
                str(release.interpreter), *PYTHON_FLAGS, "-c", BOOT, str(release.runtime), *map(str, handed),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=pipes.stdout[1],
                stderr=pipes.stderr[1],
                pass_fds=handed,
                start_new_session=True,
                cwd="/",
                env=release.start_environment(),
            )  # fmt: skip
        except BaseException as error:
            pipes.close_ours()
            if isinstance(error, OSError):
                raise ReleaseError(f"{release.interpreter} cannot be started: {error.strerror}") from error
            raise
        finally:
            pipes.close_theirs()
        return Launched(process.pid, pipes.control[0], pipes.stdout[0], pipes.stderr[0], process.wait())
