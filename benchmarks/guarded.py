"""Calls per second and latency of a project whose callers have a token, scopes, a limit and an audit log, against the
same project that is open to everyone, and against a gateway in front of that. Linux only.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from tests.support import with_config

from .calls import STATELESS, STATELESS_MODERN
from .gateway import gateway
from .harness import SERVERS, folder, platform, show_ratio
from .processes import serving_process
from .throughput import Side, compare, split_processors

KINDS = ("fastmcp4", "mcp2_lowlevel")
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
                name = kind.replace("_", "-")
                guarded = running.deploy(with_config(SERVERS / kind, GUARDED, root / "guarded"), f"{name}-guarded")
                opened = running.deploy(with_config(SERVERS / kind, "", root / "open"), f"{name}-open")
                command = ("token", "create", guarded.name, "--client", "load", "--scope", "tools:use")
                token = running.run(*command)["token"]
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
