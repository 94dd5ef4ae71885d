"""Requests per second of a worker, latency of one connection and processor time of a call, against the same server file
under plain uvicorn with the same layer. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.support import with_config

from .calls import SESSIONS, STATELESS, STATELESS_MODERN, WAYS, Way, call_once, right
from .harness import (
    ENVIRONMENT,
    ROOT,
    SERVERS,
    Platform,
    bare_server,
    folder,
    in_turn,
    platform,
    show,
    show_ratio,
)
from .processes import processor_seconds, serving_process

KINDS = (
    "fastmcp2", "fastmcp3", "fastmcp4", "mcp1_fastmcp", "mcp1_lowlevel", "mcp2_mcpserver", "mcp2_lowlevel", "asgi",
)  # fmt: skip
CONNECTIONS = 16


@dataclass(frozen=True)
class Side:
    """A server that is called, and the processes that work for its calls."""

    port: int
    way: Way
    processes: tuple[int, ...]

    def processor_seconds(self) -> float:
        return sum(map(processor_seconds, self.processes))


@dataclass(frozen=True)
class Measured:
    """`rate` is of CONNECTIONS connections, the others are of one; `cpu` are milliseconds of a call."""

    rate: float
    p50: float
    p99: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.rate:5.0f}/s  p50 {self.p50:5.2f}  p99 {self.p99:5.2f}  cpu {self.cpu:5.2f} ms"


def split_processors() -> str:
    """Keeps this process, and all it starts, on one processor; answers which one is left for the load client."""
    if not hasattr(os, "sched_setaffinity"):
        return "any"
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 2:
        return "any"
    os.sched_setaffinity(0, {processors[1]})
    return str(processors[0])


def measure(port: int, way: Way, connections: int, seconds: float, processor: str) -> dict[str, float]:
    arguments = [str(port), json.dumps(asdict(way)), str(connections), str(seconds), processor]
    command = [sys.executable, "-m", "benchmarks.load", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"the load client failed: {done.stderr}")
    result: dict[str, float] = json.loads(done.stdout)
    return result


def measure_side(side: Side, seconds: float, processor: str) -> Measured:
    loaded = measure(side.port, side.way, CONNECTIONS, seconds, processor)
    before = side.processor_seconds()
    single = measure(side.port, side.way, 1, seconds, processor)
    spent = side.processor_seconds() - before
    return Measured(loaded["rate"], single["p50_ms"], single["p99_ms"], spent / single["calls"] * 1000)


def compare(
    sides: tuple[Side, Side], label: str, options: argparse.Namespace, processor: str, peer_name: str = "by hand"
) -> tuple[float, float]:
    """The medians over rounds of homeport's rate by the peer's, and of its p50 by the peer's; the first of both changes
    with every round.
    """
    for side in sides:
        measure(side.port, side.way, CONNECTIONS, options.seconds / 2, processor)
    found: dict[Side, list[Measured]] = {side: [] for side in sides}
    for number in range(options.rounds):
        for side in in_turn(sides, number):
            found[side].append(measure_side(side, options.seconds, processor))
    mine, peer = (found[side] for side in sides)

    def ratio(of: Callable[[Measured], float]) -> float:
        return statistics.median(of(one) / of(other) for one, other in zip(mine, peer, strict=True))

    rates, p50, cpu = (ratio(of) for of in (lambda m: m.rate, lambda m: m.p50, lambda m: m.cpu))
    show(f"{label}\n  homeport {_medians(mine)}\n  {peer_name:8} {_medians(peer)}")
    show(f"  ratio    {rates:5.2f}    p50 {p50:5.2f}             cpu {cpu:5.2f}")
    return rates, p50


def _medians(found: list[Measured]) -> Measured:
    return Measured(*(statistics.median(getattr(one, name) for one in found) for name in vars(found[0])))


def compare_kind(
    running: Platform, kind: str, sessions: bool, options: argparse.Namespace, processor: str
) -> list[tuple[float, float]]:
    """One deployment in each way that it can be called."""
    found = []
    with folder("homeport-benchmark-") as root:
        source = with_config(SERVERS / kind, "[deployment]\nsessions = true\n" if sessions else "", root)
        deployed = running.deploy(source, kind.replace("_", "-"))
        ways = [SESSIONS] if sessions else [STATELESS, STATELESS_MODERN]
        with bare_server(deployed, source, ways[0]) as (port, pid):
            processes = (serving_process(deployed.port, ways[0]), running.process)
            for way in (way for way in ways if way in options.ways):
                # What the SDK does not speak, homeport translates: by hand the same call is made in the SDK's own era.
                by_hand = way if way != STATELESS_MODERN or right(call_once(port, way)) else STATELESS
                sides = Side(deployed.port, way, processes), Side(port, by_hand, (pid,))
                label = f"{kind} {way}" + (f", by hand {by_hand}" if by_hand != way else "")
                found.append(compare(sides, f"{label}, {_parser(deployed.layer)}", options, processor))
        running.run("destroy", deployed.name)
    return found


def _parser(layer: Path) -> str:
    """What plain uvicorn reads requests with."""
    return "httptools by hand" if (layer / "httptools").exists() else "h11 by hand"


def main() -> None:
    ways = {str(way): way for way in WAYS}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--ways", nargs="+", type=ways.__getitem__, metavar="WAY", default=WAYS, help=", ".join(ways))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of one measurement")
    options = parser.parse_args()
    if sys.platform != "linux":
        raise SystemExit("the processor time of a process is read as Linux tells it")
    processor = split_processors()
    show(f"{CONNECTIONS} connections for calls/s, one for the rest; medians of {options.rounds} rounds")
    show("cpu: of the serving process, and of homeport's control plane, for a call")
    ratios = []
    with platform() as running:
        for kind in options.kinds:
            # An app of the user's own decides for itself whether it has sessions.
            for sessions in (False,) if kind == "asgi" else (False, True):
                ratios += compare_kind(running, kind, sessions, options, processor)
    show_ratio("throughput", min(rate for rate, _ in ratios), ">= 0.97, the lowest of all kinds")
    show_ratio("p50", max(p50 for _, p50 in ratios), "<= 1.1, the highest of all kinds")


if __name__ == "__main__":
    main()
