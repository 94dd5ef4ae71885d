"""Requests per second of a project with two workers, against the same project with one, on a machine of two processors.

The workers share both processors with the load client, which takes a few hundredths of one: a call of this server costs
forty times as much. Nothing is pinned.
"""

from __future__ import annotations

import argparse
import statistics

from tests.support import with_config

from .calls import STATELESS
from .harness import SERVERS, folder, in_turn, platform, show, show_ratio
from .throughput import measure

KIND = "mcp1_fastmcp"
CONNECTIONS = 32


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.two_workers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.5, help="length of one measurement")
    options = parser.parse_args()
    rates: dict[int, list[float]] = {1: [], 2: []}
    with folder("homeport-benchmark-") as root, platform() as running:
        ports = {}
        for workers in rates:
            source = with_config(SERVERS / KIND, f"[scaling]\nmin = {workers}\nmax = {workers}\n", root / str(workers))
            ports[workers] = running.deploy(source, f"workers-{workers}").port
        while running.run("status", "workers-2")["workers"] < 2:
            pass
        for port in ports.values():
            measure(port, STATELESS, CONNECTIONS, options.seconds, "any")
        for number in range(options.rounds):
            for workers in in_turn((1, 2), number):
                rates[workers].append(measure(ports[workers], STATELESS, CONNECTIONS, options.seconds, "any")["rate"])
    for workers, found in rates.items():
        show(f"{KIND} {STATELESS}, {CONNECTIONS} connections, {workers} workers: {statistics.median(found):5.0f}/s")
    ratio = statistics.median(two / one for one, two in zip(rates[1], rates[2], strict=True))
    show_ratio("two_workers", ratio, ">= 1.7")


if __name__ == "__main__":
    main()
