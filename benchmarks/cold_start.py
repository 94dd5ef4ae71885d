"""From zero workers to the first answered tools/call, against starting the same server by hand."""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from .by_hand import COMMANDS, project, started
from .calls import STATELESS, Way, call_once, right, wait_for_answer
from .harness import Deployed, Platform, folder, platform, show, show_ratio

NAME = "benchmark"
CONFIG = "[scaling]\nidle_s = 1\n"


def wait_for_no_worker(running: Platform, name: str = NAME) -> None:
    deadline = time.monotonic() + 60
    while running.run("status", name)["workers"]:
        if time.monotonic() > deadline:
            raise SystemExit("the project did not scale to zero within 60 s")
        time.sleep(0.1)


def first_call(running: Platform, port: int, name: str = NAME, way: Way = STATELESS) -> float:
    wait_for_no_worker(running, name)
    return timed_call(port, way)


def timed_call(port: int, way: Way = STATELESS) -> float:
    """Seconds from connect to the answer. Raises SystemExit if that is wrong."""
    begun = time.perf_counter()
    answer = call_once(port, way)
    seconds = time.perf_counter() - begun
    if not right(answer):
        raise SystemExit(f"a wrong answer: {answer!r}")
    return seconds


def by_hand(title: str, deployed: Deployed, server: Path) -> float:
    """Seconds from the start of the process to the answer."""
    begun = time.perf_counter()
    with started(title, deployed, server) as port:
        wait_for_answer(port)
        return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold_start", description=__doc__)
    parser.add_argument("--kind", default="fastmcp4", choices=("fastmcp2", "fastmcp3", "fastmcp4"))
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    ours: list[float] = []
    peers: dict[str, list[float]] = {title: [] for title in COMMANDS}
    with folder("homeport-benchmark-") as root, platform() as running:
        server = project(options.kind, root / "project", CONFIG)
        deployed = running.deploy(server, NAME)
        for title in COMMANDS:
            by_hand(title, deployed, server)  # reads the files into memory, which homeport's deploy has done for itself
        for _ in range(options.rounds):
            ours.append(first_call(running, deployed.port))
            for title, seconds in peers.items():
                seconds.append(by_hand(title, deployed, server))
    show(f"{options.kind}: to the first tools/call answer, medians of {options.rounds} rounds")
    show(f"{'homeport, no worker':<22} {statistics.median(ours):6.3f} s   slowest {max(ours):6.3f} s")
    ratios = []
    for title, seconds in peers.items():
        ratio = statistics.median(peer / mine for peer, mine in zip(seconds, ours, strict=True))
        show(f"{title:<22} {statistics.median(seconds):6.3f} s   {ratio:.1f} times as long")
        ratios.append(ratio)
    show_ratio("cold_start", min(ratios), ">= 20 times sooner than the faster of the two")


if __name__ == "__main__":
    main()
