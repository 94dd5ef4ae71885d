"""Does to a platform what befalls it while clients ask: releases change, processes are killed, workers sleep,
connections idle.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import httpx

from tests.e2e.probing import call, control_plane, master, processes, wait_for, workers
from tests.support import Platform

from .load import Load
from .project import Project

# The number of redeploys after which there is a rollback.
ROLLBACK_EVERY = 10
# The shortest that can be configured, and seconds around the moment at which a worker then goes to sleep: it looks
# twice a second.
IDLE_S = 1
AROUND_SLEEP_S = (0.9, 1.8)
# The number of connections that are opened, and asked on, at the same time.
AT_ONCE = 100
# The number of kills after which there is a line that says how many there were.
TOLD_EVERY = 100
IDLE_ANSWER_S = 60.0
Item = TypeVar("Item")
HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


class WrongReleaseError(Exception):
    """Says that a command returned, and another release than the one that it named answered."""


def redeploys(projects: Sequence[Project], count: int) -> list[float]:
    """Gives the seconds of each redeploy; the projects take turns. Raises WrongReleaseError."""
    seconds = []
    for number, project in enumerate(islice(cycle(projects), count), 1):
        begun = time.monotonic()
        release = project.deploy()
        seconds.append(time.monotonic() - begun)
        if not project.has_sessions:
            answered = call(project.url, "add", a=1, b=1).split()[1]
            if answered != release:
                raise WrongReleaseError(f"{project.name} serves {release}, and {answered} answers")
        if number % ROLLBACK_EVERY == 0:
            project.rollback()
    return seconds


@dataclass(frozen=True, slots=True)
class Kill:
    """Holds a kill: at `begun` the processes of the kind `what` were killed, at `gone` they had ended, at `back` all
    answered.
    """

    what: str
    begun: float
    gone: float
    back: float


def kills(platform: Platform, projects: Sequence[Project], count: int) -> list[Kill]:
    """Kills each kind of process in its turn (SIGKILL), and prints to standard error how far it is, since that many
    take long and one that fails ends the run.
    """
    killed = []
    for what in islice(cycle(VICTIMS), count):
        killed.append(_killed(platform, projects, what))
        if len(killed) % TOLD_EVERY == 0:
            print(f"kills: {len(killed):,} of {count:,}", file=sys.stderr)
    return killed


def _killed(platform: Platform, projects: Sequence[Project], what: str) -> Kill:
    victims = VICTIMS[what](platform)
    ending = victims | (_below(victims, processes(platform)) if what == "worker" else set())
    begun = time.monotonic()
    for pid in victims:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not any(map(_runs, ending)))
    gone = time.monotonic()
    if what in NEED_A_START:
        platform.run("platform", "start")
    for project in projects:
        wait_for(lambda url=project.url: _is_healthy(url))  # type: ignore[misc]
    return Kill(what, begun, gone, time.monotonic())


def _a_worker(platform: Platform) -> set[int]:
    return set(random.sample(sorted(wait_for(lambda: workers(platform))), 1))


def _below(pids: set[int], running: Mapping[int, int]) -> set[int]:
    """Returns the processes below them, which end a moment later than they do, since they are in their rooms."""
    children = {pid for pid, parent in running.items() if parent in pids}
    return children | _below(children, running) if children else children


def _zygotes(platform: Platform) -> set[int]:
    """Its workers outlive one."""
    main = control_plane(platform)
    return {pid for pid, parent in processes(platform).items() if parent == main}


VICTIMS: Mapping[str, Callable[[Platform], set[int]]] = {
    "worker": _a_worker,
    "zygote": _zygotes,
    "control plane": lambda platform: {control_plane(platform)},
    "all": lambda platform: {master(platform), control_plane(platform), *processes(platform)},
}
# No other process starts a platform that is gone.
NEED_A_START = ("all",)


def _runs(pid: int) -> bool:
    """Zombies do not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def _is_healthy(url: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"{url}/health", timeout=IDLE_ANSWER_S).status_code == 200
    return False


def around_sleep() -> float:
    """Seconds until the next request, so that it meets a worker that sleeps, or is about to."""
    return random.uniform(*AROUND_SLEEP_S)


def wakes(load: Load, count: int) -> int:
    """Waits until so many workers have been woken under `load`, whose clients pause for `around_sleep`."""
    wait_for_count(lambda: len(load.lives), count)
    return len(load.lives)


def wait_for_count(counted: Callable[[], int], count: int) -> None:
    """Waits for a count, however long it takes, as long as it goes on."""
    while (before := counted()) < count:
        wait_for(lambda before=before: counted() > before)  # type: ignore[misc]


@dataclass(frozen=True, slots=True)
class Idle:
    """Counts idle connections: of `opened` ones `closed` had been closed by the platform before anything was asked on
    them; of the rest `answered` were answered.
    """

    opened: int
    closed: int
    answered: int

    @property
    def failed(self) -> int:
        return self.opened - self.closed - self.answered


async def idle(project: Project, count: int, asleep: Callable[[], bool]) -> Idle:
    """Opens connections to a project, waits until it sleeps, and asks on all of them."""
    port = urlsplit(project.url).port or 0
    connections = []
    try:
        for batch in _batches(range(count)):
            connections += await asyncio.gather(*(_connected(port) for _ in batch))
        await asyncio.to_thread(wait_for, asleep)
        open_ones = [each for each in connections if not each[0].at_eof()]
        answered = 0
        for some in _batches(open_ones):
            answered += sum(await asyncio.gather(*(_answers(*each) for each in some)))
        return Idle(len(connections), len(connections) - len(open_ones), answered)
    finally:
        for _, writer in connections:
            writer.close()


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _connected(port: int) -> Connection:
    """Opens a connection on which one request has been answered, as pools of clients keep it."""
    connection = await asyncio.open_connection("127.0.0.1", port)
    await _answers(*connection)
    return connection


async def _answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    try:
        writer.write(HEALTH)
        async with asyncio.timeout(IDLE_ANSWER_S):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
    except (OSError, EOFError, TimeoutError):
        return False
    return b" 200 " in head.splitlines()[0]


def _batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), AT_ONCE):
        yield items[start : start + AT_ONCE]
