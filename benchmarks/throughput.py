"""Requests per second and latency of a worker, against the same server file under plain uvicorn with the same layer."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys

from .calls import ERAS, LEGACY, call_once, right
from .harness import ENVIRONMENT, ROOT, SERVERS, bare_server, in_turn, platform, show, show_ratio

KINDS = (
    "fastmcp2", "fastmcp3", "fastmcp4", "mcp1_fastmcp", "mcp1_lowlevel", "mcp2_mcpserver", "mcp2_lowlevel", "asgi",
)  # fmt: skip
CONNECTIONS = 16


def split_processors() -> str:
    """Keeps this process, and all it starts, on one processor; answers which one is left for the load client."""
    if not hasattr(os, "sched_setaffinity"):
        return "any"
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 2:
        return "any"
    os.sched_setaffinity(0, {processors[1]})
    return str(processors[0])


def measure(port: int, era: str, connections: int, seconds: float, processor: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.load", str(port), era, str(connections), str(seconds), processor]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"the load client failed: {done.stderr}")
    result: dict[str, float] = json.loads(done.stdout)
    return result


def compare(ports: tuple[int, int], label: str, era: str, options: argparse.Namespace, processor: str) -> float:
    """The median over rounds of homeport's rate by the peer's; the first of both changes with every round."""
    for port in ports:
        measure(port, era, CONNECTIONS, options.seconds / 2, processor)
    loaded: dict[int, list[dict[str, float]]] = {port: [] for port in ports}
    single: dict[int, list[dict[str, float]]] = {port: [] for port in ports}
    for number in range(options.rounds):
        for port in in_turn(ports, number):
            loaded[port].append(measure(port, era, CONNECTIONS, options.seconds, processor))
        for port in in_turn(ports, number):
            single[port].append(measure(port, era, 1, options.seconds / 2, processor))
    ratio = statistics.median(
        mine["rate"] / peer["rate"] for mine, peer in zip(loaded[ports[0]], loaded[ports[1]], strict=True)
    )
    texts = []
    for port in ports:
        rate, p50, p99 = (
            statistics.median(result[key] for result in results)
            for key, results in (("rate", loaded[port]), ("p50_ms", single[port]), ("p99_ms", single[port]))
        )
        texts.append(f"{rate:5.0f}/s {p50:5.2f} {p99:5.2f} ms")
    show(f"{label:<15} {era}  homeport {texts[0]}   uvicorn {texts[1]}   ratio {ratio:.3f}")
    return ratio


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of one measurement under load")
    options = parser.parse_args()
    processor = split_processors()
    show(f"{CONNECTIONS} connections for calls/s; p50 and p99 with one; medians of {options.rounds} rounds")
    ratios = []
    with platform() as running:
        for kind in options.kinds:
            deployed = running.deploy(SERVERS / kind, kind.replace("_", "-"))
            with bare_server(deployed, SERVERS / kind) as (bare_port, _pid):
                for era in ERAS:
                    # What the SDK does not speak, homeport translates: there is no peer to compare it with.
                    if era == LEGACY or right(call_once(bare_port, era)):
                        ratios.append(compare((deployed.port, bare_port), kind, era, options, processor))
            running.run("destroy", deployed.name)
    show_ratio("throughput", min(ratios), ">= 0.97, the lowest of all kinds")


if __name__ == "__main__":
    main()
