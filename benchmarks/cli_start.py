"""How long `homeport --help` takes, compared with `python -c pass`: what a person waits before anything happens."""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

from .harness import show, show_ratio, timed

COMMANDS: dict[str, list[str | Path]] = {
    "homeport --help": [Path(sys.executable).with_name("homeport"), "--help"],
    "python -c pass": [sys.executable, "-c", "pass"],
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cli_start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {title: [] for title in COMMANDS}
    for command in COMMANDS.values():
        timed(command)  # writes bytecode
    for _ in range(options.rounds):
        for title, command in COMMANDS.items():
            seconds[title].append(timed(command))
    for title, values in seconds.items():
        show(f"{title:<16} median {1000 * statistics.median(values):4.0f} ms   fastest {1000 * min(values):4.0f} ms")
    ours, python = seconds.values()
    more = statistics.median(a - b for a, b in zip(ours, python, strict=True))
    show(f"difference: {1000 * more:.0f} ms (goal < 150)")
    show_ratio("cli_start", statistics.median(a / b for a, b in zip(ours, python, strict=True)), "is the difference")


if __name__ == "__main__":
    main()
