"""Runs projects in containers of a real engine, under load, and kills what they stand on:

    python -m tests.soak.containers                            100 redeploys and 30 kills
    python -m tests.soak.containers --redeploys 10 --kills 6   a part of it

Exit code 0: nothing was lost but what was in a container that was killed. It wants root on Linux, and Docker Engine.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

from tests.e2e.probing import is_healthy, wait_for
from tests.images.registries import registry
from tests.leftovers import keep_mounts_private
from tests.support import CommandFailedError, Platform
from tests.targets.container.engines import Dockerd, client, dockerd, push_base

from .clients import SESSIONS, STATELESS
from .faults import Kill, redeploys
from .load import Caller, Load, Lost
from .project import Project
from .report import table

CLIENTS = 2
CONFIG = """
[deployment]
target = "container"
sessions = {sessions}
[deployment.container]
base = "{base}"
network = "none"
"""
# The answers between two kills.
ANSWERS = 200


@dataclass(frozen=True, slots=True)
class Site:
    """Is a platform, its `projects`, and the engine with their containers."""

    platform: Platform
    engine: Dockerd
    projects: Sequence[Project]

    def containers(self) -> Running:
        with client(self.engine.address) as asked:
            found = (asked.inspect_container(each["Id"]) for each in asked.containers())
            return [(each["Id"], each["State"]["Pid"]) for each in found]


@dataclass
class Report:
    """Holds what came of it; `seconds` are those of each redeploy."""

    seconds: Sequence[float] = ()
    kills: list[Kill] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)

    @property
    def failed(self) -> list[Lost]:
        """Returns the requests that were in no container that was killed."""
        return [lost for load in self.loads for lost in load.lost if not self._was_inside(lost)]

    def _was_inside(self, lost: Lost) -> bool:
        # A client of HTTP+SSE may ask once more before it hears that its stream has ended.
        streams = lost.kind.startswith("/sse")
        return any(
            kill.begun <= lost.ended and lost.begun <= (kill.back if streams else kill.gone) for kill in self.kills
        )

    def text(self) -> str:
        answered = sum(load.answered.total() for load in self.loads)
        lost = sum(len(load.lost) for load in self.loads)
        times = Counter(kill.what for kill in self.kills)
        rows = [("redeploy", len(self.seconds)), *((f"kill -9: {what}", count) for what, count in times.items())]
        counts = [("answered", answered), ("lost in a killed container", lost - len(self.failed))]
        reasons = Counter(f"{each.kind}: {each.reason}" for each in self.failed)
        return table(("what", "times"), [*rows, *counts, ("lost", len(self.failed)), *reasons.most_common()])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.containers", description="Soaks containers.")
    for name, count in (("redeploys", 100), ("kills", 30)):
        parser.add_argument(f"--{name}", type=int, default=count, metavar="N", help=f"{count} unless told otherwise")
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
    counts = parser.parse_args()
    keep_mounts_private()
    with started() as site:
        report = soaked(site, counts.redeploys, counts.kills)
    print(report.text())
    return 1 if report.failed else 0


@contextmanager
def started() -> Iterator[Site]:
    with tempfile.TemporaryDirectory(prefix="homeport-soak-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "registry").mkdir()
        with dockerd(folder) as engine:
            platform = Platform(folder / "home")
            platform.environment["DOCKER_HOST"] = engine.address
            try:
                with registry(folder / "registry") as images:
                    base = push_base(images.address, folder / "base")
                    yield Site(platform, engine, [_project(platform, folder, base, has) for has in (False, True)])
            finally:
                with suppress(CommandFailedError):
                    platform.stop()


def _project(platform: Platform, folder: Path, base: str, has_sessions: bool) -> Project:
    config = CONFIG.format(base=base, sessions=str(has_sessions).lower())
    project = Project.written(platform, "held" if has_sessions else "steady", folder, config)
    project.has_sessions = has_sessions
    return project


def soaked(site: Site, redeploy_count: int, kill_count: int) -> Report:
    steady, held = site.projects
    callers = [
        Caller(kind, project.url, opened)
        for project, kinds in ((steady, STATELESS), (held, SESSIONS))
        for kind, opened in kinds.items()
        for _ in range(CLIENTS)
    ]
    report = Report()
    with Load(callers) as load:
        report.loads.append(load)
        report.seconds = redeploys(site.projects, redeploy_count)
    with Load(callers) as load:
        report.loads.append(load)
        for what in islice(cycle(VICTIMS), kill_count):
            _wait_for_answers(load)
            report.kills.append(_killed(site, load, what))
    return report


def _wait_for_answers(load: Load) -> None:
    before = load.answered.total()
    wait_for(lambda: load.answered.total() > before + ANSWERS)


def _killed(site: Site, load: Load, what: str) -> Kill:
    running = site.containers()
    if what == "dockerd":
        # Until it starts again servers go on without it, and nothing may be lost.
        site.engine.kill()
        _wait_for_answers(load)
    begun = time.monotonic()
    VICTIMS[what](site, running)
    gone = time.monotonic()
    for project in site.projects:
        wait_for(lambda url=project.url: is_healthy(url))  # type: ignore[misc]
    return Kill(what, begun, gone, time.monotonic())


def _kill_container(site: Site, running: Running) -> None:
    container, pid = running[0]
    with client(site.engine.address) as asked:
        asked.kill(container)
    _wait_for_end(pid)


def _kill_zygote(_site: Site, running: Running) -> None:
    _container, pid = running[-1]
    os.kill(pid, signal.SIGKILL)
    _wait_for_end(pid)


def _start_engine_again(site: Site, running: Running) -> None:
    """Starts the engine again, which ends some of the containers that it finds, and takes others for ended ones."""
    site.engine.start_again()
    for _container, pid in running:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        _wait_for_end(pid)


def _wait_for_end(pid: int) -> None:
    wait_for(lambda: not Path(f"/proc/{pid}").exists())


# The containers that run, each with the id of its first process on this machine.
Running = list[tuple[str, int]]
VICTIMS: Mapping[str, Callable[[Site, Running], None]] = {
    "container": _kill_container,
    "zygote": _kill_zygote,
    "dockerd": _start_engine_again,
}


if __name__ == "__main__":
    sys.exit(main())
