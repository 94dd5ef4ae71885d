"""A tools/call on a Lambda function that is warm, against the same server behind awslambdaric and Mangum."""

from __future__ import annotations

import argparse
import statistics
import time

from tests.aws.function_url import FunctionURL
from tests.runtime.conftest import call

from .harness import in_turn, show, show_ratio
from .lambda_functions import ask, functions

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
    with functions() as fronts:
        measured: dict[str, list[float]] = {name: [] for name in fronts}
        for front in fronts.values():
            seconds_of(front, options.calls)
        for number in range(options.rounds):
            for name in in_turn(fronts, number):
                measured[name].append(seconds_of(fronts[name], options.calls))
    ours, theirs = measured["homeport"], measured["Mangum"]
    shown = [f"{statistics.median(side) * 1000:.2f} ms" for side in (ours, theirs)]
    show(f"fastmcp4 warm tools/call p50   homeport {shown[0]}   awslambdaric and Mangum {shown[1]}")
    show_ratio("lambda_warm_call", statistics.median(a / b for a, b in zip(ours, theirs, strict=True)), "<= 1.0")


if __name__ == "__main__":
    main()
