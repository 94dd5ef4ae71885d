"""Workers that say what a test has them say: a process that only waits, and a control channel that is the test's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platform_cli.supervisor.descriptor_store import DescriptorStore
from platform_cli.supervisor.launch import Launched, Pipes
from platform_cli.supervisor.parking import Parking
from platform_cli.supervisor.release import RunnableRelease
from platform_cli.supervisor.service import Service
from platform_cli.supervisor.sockets import open_new_listener

DEADLINE_S = 30.0
PROGRAM = ("sleep", "3600")


async def until(condition: Callable[[], object]) -> None:
    """Returns when `condition` is true."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.005)


def has_ended(process: Path) -> bool:
    """Tells whether the process whose folder in /proc this is has ended, even if nobody has asked how."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@dataclass(eq=False)
class StandIn:
    """Is a worker that does what it is told, unless it `fails` or `crashes` where it would have accepted. `told` are
    the orders that it got.
    """

    release: RunnableRelease
    process: asyncio.subprocess.Process
    writer: asyncio.StreamWriter
    fails: object
    crashes: bool
    told: list[str] = field(default_factory=list)

    def say(self, event: str, **fields: Any) -> None:
        self.writer.write(json.dumps({"event": event, **fields}).encode() + b"\n")

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()

    async def serve(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            order = json.loads(line).get("do")
            self.told.append(order or "job")
            match order:
                case None if self.fails:
                    self.say("failed", message=self.fails)
                    self.end()
                case None:
                    self.say("ready")
                case "accept":
                    self.say("accepting")
                    if self.crashes:
                        self.end()
                case "access":
                    self.say("admitted")
                case "hand_over" | "close":
                    self.say("stopped")
                    self.end()
        self.writer.close()


class StandIns:
    """Launches stand-ins: `all` that it has started. A release, by its number, whose entry in `fails` returns a message
    does not come up.
    """

    stand_in = StandIn

    def __init__(self, program: Sequence[str] = PROGRAM) -> None:
        self.all: list[StandIn] = []
        self.fails: dict[int, Callable[[], object]] = {}
        self.crashes = False
        self._program = program
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> list[StandIn]:
        return [each for each in self.all if each.process.returncode is None]

    async def launch(
        self, release: RunnableRelease, _sockets: Sequence[socket.socket], _shown: Sequence[Path]
    ) -> Launched:
        pipes = Pipes.open()
        process = await asyncio.create_subprocess_exec(
            *self._program, stdin=asyncio.subprocess.DEVNULL, stdout=pipes.stdout[1], stderr=pipes.stderr[1],
            start_new_session=True,
        )  # fmt: skip
        theirs = pipes.control[1].dup()
        pipes.close_theirs()
        reader, writer = await asyncio.open_connection(sock=theirs)
        fails = self.fails.get(release.number, lambda: None)()
        stand_in = self.stand_in(release, process, writer, fails, self.crashes)
        self.all.append(stand_in)
        serving = asyncio.create_task(stand_in.serve(reader))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)
        return Launched(process.pid, pipes.control[0], pipes.stdout[0], pipes.stderr[0], process.wait())

    def adopt(self, launched: Launched, _place: str) -> Launched:
        return launched

    def keep(self, _used: Iterable[RunnableRelease]) -> None:
        """Does nothing, since there are no zygotes."""

    async def close(self) -> None:
        for each in self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(each.process.pid, signal.SIGKILL)
        if self._serving:
            await asyncio.wait(self._serving, timeout=DEADLINE_S)


@contextlib.asynccontextmanager
async def serving(folder: Path, workers: StandIns) -> AsyncIterator[Service]:
    """Opens a service with `workers`, whose socket is open; it is closed at the end."""
    port, listener = open_new_listener(())
    service = Service(folder / "project", "p", port, "00", workers, Parking(100), DescriptorStore())
    service.open(listener)
    try:
        yield service
    finally:
        await service.close(0.1)
        await workers.close()
