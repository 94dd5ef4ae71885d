"""Memory of the tenth worker of one layer, against a process of the same server that was started by hand.

PSS (proportional set size, proc(5)) counts a page that n processes share as 1/n of a page in each, so nothing else on
the machine may run the same packages: uv links one copy of a file into every environment. Linux only.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .by_hand import project, started
from .calls import call_once, right, wait_for_answer
from .harness import Deployed, folder, platform, show, show_ratio
from .processes import serving_process

KIB = 1024
PRIVATE = ("Private_Clean", "Private_Dirty")


def memory(port: int) -> tuple[float, float]:
    """PSS and private memory, in MB, of the process that answers on `port`."""
    lines = Path(f"/proc/{serving_process(port)}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return sizes["Pss"] * KIB / 1e6, sum(sizes[name] for name in PRIVATE) * KIB / 1e6


def call(deployed: Deployed) -> None:
    if not right(call_once(deployed.port)):
        raise SystemExit(f"{deployed.name} answered wrongly")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--kind", default="fastmcp4", choices=("fastmcp2", "fastmcp3", "fastmcp4"))
    parser.add_argument("--projects", type=int, default=10)
    options = parser.parse_args()
    if sys.platform != "linux":
        raise SystemExit("PSS is told by Linux only")
    with folder("homeport-benchmark-") as root, platform() as running:
        projects = [project(options.kind, root / f"project-{number}") for number in range(1, options.projects + 1)]
        deployed = [running.deploy(server, server.name) for server in projects]
        # Workers as most are: started by a call to a project that was idle.
        running.run("platform", "stop")
        running.run("platform", "start")
        for one in deployed:
            call(one)
        workers = [memory(one.port) for one in deployed]
        # Alone on the machine: next to workers of its layer it would share the libraries' pages with them.
        running.run("platform", "stop")
        # Started twice, since the first time it may have to compile what it imports.
        for _ in range(2):
            with started("python server.py", deployed[-1], projects[-1]) as port:
                wait_for_answer(port)
                alone = memory(port)
    show(f"{options.kind}, each called once          PSS   private")
    for title, (pss, private) in (
        ("first worker", workers[0]),
        ("last worker", workers[-1]),
        ("by hand, alone", alone),
    ):
        show(f"{title:<28} {pss:5.1f} MB {private:5.1f} MB")
    show_ratio("memory", workers[-1][0] / alone[0], "<= 0.3")


if __name__ == "__main__":
    main()
