"""Calls per second, latency and cold start of a project whose callers have a token, scopes, a limit and an audit log,
against the same project that is open to everyone; calls per second also against a gateway in front of that. Linux only.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from dataclasses import replace
from pathlib import Path

from tests.support import with_config

from .calls import STATELESS, STATELESS_MODERN
from .cold_start import first_call
from .gateway import gateway
from .harness import SERVERS, Deployed, Platform, folder, in_turn, platform, show, show_ratio
from .processes import serving_process
from .throughput import Side, compare, split_processors

KINDS = ("fastmcp4", "mcp2_lowlevel")
ASLEEP = "[scaling]\nidle_s = 1\n"
GUARDED = """
[auth]
mode = "token"

[scopes]
"*" = "tools:use"

[limits]
read = "10000/second"
write = "10000/second"

[audit]
arguments = "redacted"
"""


def guarded_and_open(running: Platform, kind: str, config: str, root: Path) -> tuple[Deployed, Deployed, str]:
    """Deploys a server twice, with what guards it and without, and returns also a token for the first."""
    name = f"{kind.replace('_', '-')}-{root.name}"
    guarded = running.deploy(with_config(SERVERS / kind, config + GUARDED, root / "guarded"), f"{name}-guarded")
    opened = running.deploy(with_config(SERVERS / kind, config, root / "open"), f"{name}-open")
    command = ("token", "create", guarded.name, "--client", "load", "--scope", "tools:use")
    return guarded, opened, running.run(*command)["token"]


def show_cold_start(running: Platform, kind: str, rounds: int, root: Path) -> None:
    """Shows how much longer the first call of a project without workers takes where it is guarded."""
    guarded, opened, token = guarded_and_open(running, kind, ASLEEP, root)
    ways = {guarded: replace(STATELESS, token=token), opened: STATELESS}
    found: dict[Deployed, list[float]] = {each: [] for each in ways}
    for number in range(rounds + 1):
        for each in in_turn(ways, number):
            seconds = first_call(running, each.port, each.name, ways[each])
            # The first start of all reads the files into memory.
            if number:
                found[each].append(seconds * 1000)
    more = statistics.median(one - other for one, other in zip(found[guarded], found[opened], strict=True))
    both = " and ".join(f"{statistics.median(found[each]):.1f}" for each in (guarded, opened))
    show(f"{kind}: cold start {both} ms, guarded and open: {more:+.1f} ms (goal within 2)")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guarded", description=__doc__)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--no-gateway", dest="gateway", action="store_false", help="leave ContextForge out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of one measurement")
    options = parser.parse_args()
    if sys.platform != "linux":
        raise SystemExit("the processor time of a process is read as Linux tells it")
    # A gateway may have no answer to the first of sixteen calls after a second.
    long = argparse.Namespace(**{**vars(options), "seconds": max(options.seconds, 10.0)})
    processor = split_processors()
    ratios, by_gateway = [], []
    with platform() as running:
        for kind in options.kinds:
            with folder("homeport-benchmark-") as root:
                show_cold_start(running, kind, options.rounds, root / "asleep")
                guarded, opened, token = guarded_and_open(running, kind, "", root / "awake")
                for way in (STATELESS, STATELESS_MODERN):
                    mine, theirs = replace(way, token=token), way
                    sides = (
                        Side(guarded.port, mine, (serving_process(guarded.port, mine), running.process)),
                        Side(opened.port, theirs, (serving_process(opened.port, theirs), running.process)),
                    )
                    label = f"{kind} {way}, guarded against open"
                    ratios.append(compare(sides, label, options, processor, "open")[0])
                if options.gateway:
                    with gateway(opened.port) as peer:
                        sides = Side(guarded.port, replace(STATELESS, token=token), sides[0].processes), peer
                        label = f"{kind} {STATELESS}, guarded against a gateway in front of the open one"
                        by_gateway.append(compare(sides, label, long, processor, "gateway")[0])
    show_ratio("guarded", min(ratios), ">= 0.95, the lowest")
    if by_gateway:
        show_ratio("guarded, by ContextForge's", min(by_gateway), ">= 5, the lowest")


if __name__ == "__main__":
    main()
