"""A tools/call on a Lambda function that is warm, against the same server behind awslambdaric and Mangum."""

from __future__ import annotations

import argparse
import statistics
import time

from tests.aws.function_url import FunctionURL
from tests.runtime.conftest import call

from .harness import in_turn, show, show_ratio
from .lambda_functions import MEMORIES_MB, ask, functions, give_memory, row

BODY = call("add", a=1, b=2)


def seconds_of(front: FunctionURL, calls: int) -> float:
    """Median of `calls` calls, one after the other."""
    seconds = []
    for _ in range(calls):
        started = time.perf_counter()
        for _chunk in ask(front, BODY):
            pass
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lambda_warm_call", description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--calls", type=int, default=100, help="in each round, to each")
    options = parser.parse_args()
    for each in rows(options.rounds, options.calls):
        show(each)


def rows(rounds: int = 11, calls: int = 100) -> list[str]:
    """Measures, and returns the row of README."""
    medians: dict[str, list[float]] = {}
    with functions() as fronts:
        for memory_mb in MEMORIES_MB:
            give_memory(fronts, memory_mb)
            measured: dict[str, list[float]] = {name: [] for name in fronts}
            for front in fronts.values():
                seconds_of(front, calls)
            for number in range(rounds):
                for name in in_turn(fronts, number):
                    measured[name].append(seconds_of(fronts[name], calls))
            ours, theirs = measured["homeport"], measured["Mangum"]
            ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
            show_ratio(f"lambda_warm_call {memory_mb} MB", ratio, "<= 1.0")
            for name, seconds in measured.items():
                medians.setdefault(name, []).append(statistics.median(seconds) * 1000)
    return [row("p50 of a warm call of a tool", MEMORIES_MB, medians["homeport"], medians["Mangum"], "ms")]


if __name__ == "__main__":
    main()
