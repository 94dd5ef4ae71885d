"""The control plane is killed or restarted: how long its projects do not answer, against a server started by hand."""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import time
from collections.abc import Callable

from platform_cli.controlplane.master import SHORT_LIFE_S

from .by_hand import COMMANDS, project, started
from .calls import wait_for_answer
from .cold_start import timed_call, wait_for_no_worker
from .harness import Platform, folder, platform, show, show_ratio

RUNS, SLEEPS = "running", "sleeping"
CONFIGS = {RUNS: "[scaling]\nmin = 1\n", SLEEPS: "[scaling]\nidle_s = 1\n"}


def kill(running: Platform) -> None:
    # After several in a row that have lived for less, the master pauses: it takes them for crashes.
    time.sleep(SHORT_LIFE_S)
    os.kill(running.process, signal.SIGKILL)


def restart(running: Platform) -> None:
    running.run("platform", "restart")


def answer_after(event: Callable[[Platform], None], running: Platform, port: int) -> float:
    """Seconds that a call takes which is made as soon as `event` has happened. Raises SystemExit if it fails."""
    event(running)
    return timed_call(port)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.restart", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    ours: dict[str, list[float]] = {}
    peer: list[float] = []
    with folder("homeport-benchmark-") as root, platform() as running:
        servers = {name: project("fastmcp4", root / name, config) for name, config in CONFIGS.items()}
        deployed = {name: running.deploy(server, name) for name, server in servers.items()}
        title = next(iter(COMMANDS))
        for _ in range(options.rounds):
            for event in (kill, restart):
                for name in (RUNS, SLEEPS):
                    if name == SLEEPS:
                        wait_for_no_worker(running, SLEEPS)
                    seconds = answer_after(event, running, deployed[name].port)
                    ours.setdefault(f"{event.__name__}, {name}", []).append(seconds)
            # By hand a restart ends the old process and starts another.
            begun = time.perf_counter()
            with started(title, deployed[RUNS], servers[RUNS]) as port:
                wait_for_answer(port)
                peer.append(time.perf_counter() - begun)
    show(f"the first call after it, medians of {options.rounds} rounds")
    for name, all_seconds in ours.items():
        show(f"{name:<22} {statistics.median(all_seconds):6.3f} s   slowest {max(all_seconds):6.3f} s")
    show(f"{title + ', again':<22} {statistics.median(peer):6.3f} s")
    slowest = max(statistics.median(each) for each in ours.values())
    show_ratio("restart", statistics.median(peer) / slowest, ">= 1 times sooner than starting the server again by hand")


if __name__ == "__main__":
    main()
