"""Runs a platform that is not left alone, under load, and prints what came of it as tables: `make soak`.

    python -m tests.soak.run                                                       the whole, about an hour
    python -m tests.soak.run --redeploys 60 --kills 30 --wakes 100 --idle 500      a part of it, some minutes

Exit code 0: every goal is met. It wants root on Linux, to see what the platform's processes have open.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.e2e.probing import processes, wait_for
from tests.support import CommandFailedError, Platform, with_packages

from .clients import SESSIONS, STATELESS, keep_alive, new_connections
from .faults import IDLE_S, around_sleep, idle, kills, redeploys, wakes
from .load import Caller, Load
from .measures import Measure, measured
from .project import Project
from .report import Counts, Report

# Clients of each kind.
CLIENTS = 3
SLEEPERS = 24
SLEEPS = f"[scaling]\nidle_s = {IDLE_S}\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.run", description="Soaks a platform.")
    for name, count in (("redeploys", 1000), ("kills", 1000), ("wakes", 2000), ("idle", 5000)):
        parser.add_argument(f"--{name}", type=int, default=count, metavar="N", help=f"{count} unless told otherwise")
    # The SDK's client logs the end of each stream with a traceback.
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
    with started() as (platform, folder):
        report = soaked(platform, folder, Counts(**vars(parser.parse_args())))
    print(report.text())
    return 0 if report.is_met else 1


@contextmanager
def started() -> Iterator[tuple[Platform, Path]]:
    """Runs a platform, and yields it with a folder for what it serves; whatever happens, nothing of it is left."""
    with tempfile.TemporaryDirectory(prefix="homeport-soak-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        platform = Platform(with_packages(folder / "home"))
        platform.environment["TMPDIR"] = str(temporary(folder))
        temporary(folder).mkdir()
        try:
            yield platform, folder
        finally:
            with suppress(CommandFailedError):
                platform.stop()
            for pid in processes(platform):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def temporary(folder: Path) -> Path:
    return folder / "tmp"


def soaked(platform: Platform, folder: Path, counts: Counts) -> Report:
    report = Report(counts)
    steady = Project.written(platform, "steady", folder)
    held = Project.written(platform, "held", folder, "[deployment]\nsessions = true\n")
    callers = [
        Caller(kind, project.url, opened)
        for project, kinds in ((steady, STATELESS), (held, SESSIONS))
        for kind, opened in kinds.items()
        for _ in range(CLIENTS)
    ]
    sleepers = [Project.written(platform, f"sleeper-{number}", folder, SLEEPS) for number in range(SLEEPERS)]

    report.measures["beginning"] = at_rest(platform, folder, [steady, held], sleepers)
    with told(report, "redeploys"), Load(callers) as report.loads["redeploys"]:
        report.redeploys = redeploys([steady, held], counts.redeploys)
    with told(report, "wakes"), Load(at_sleep(sleepers), around_sleep) as load:
        report.loads["wakes"] = load
        wakes(load, counts.wakes)
    with told(report, "idle connections"), Load(callers) as report.loads["idle connections"]:
        report.idle = asyncio.run(idle(sleepers[0], counts.idle, lambda: workers_of(sleepers[0]) == 0))
    report.measures["before the kills"] = at_rest(platform, folder, [steady, held], sleepers)
    with told(report, "kills"), Load(callers) as report.loads["kills"]:
        report.kills = kills(platform, [steady, held], counts.kills)
    report.measures["end"] = at_rest(platform, folder, [steady, held], sleepers)
    return report


@contextmanager
def told(report: Report, fault: str) -> Iterator[None]:
    """Prints to standard error how long a part took and what it came to, since the whole takes long."""
    begun = time.monotonic()
    yield
    load = report.loads[fault]
    lost = f"{len(load.lost):,} lost"
    print(f"{fault}: {time.monotonic() - begun:.0f} s, {load.answered.total():,} answered, {lost}", file=sys.stderr)


def at_sleep(sleepers: Sequence[Project]) -> list[Caller]:
    """Returns one client for each, so that nobody else keeps its worker awake."""
    kinds = (("/mcp, keep-alive (httpx)", keep_alive), ("/mcp, new connections (httpx)", new_connections))
    return [
        Caller(kind, project.url, opened)
        for number, project in enumerate(sleepers)
        for kind, opened in [kinds[number % len(kinds)]]
    ]


def at_rest(platform: Platform, folder: Path, awake: Sequence[Project], asleep: Sequence[Project]) -> Measure:
    """Measures with one new worker each in those that are awake, and none in the others."""
    for project in awake:
        project.deploy()
    wait_for(lambda: [workers_of(project) for project in (*awake, *asleep)] == [1] * len(awake) + [0] * len(asleep))
    return measured(platform, temporary(folder))


def workers_of(project: Project) -> int:
    running: int = project.platform.run("status", project.name)["workers"]
    return running


if __name__ == "__main__":
    sys.exit(main())
