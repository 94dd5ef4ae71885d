"""How soon a tool's progress is heard of on Lambda, against the same server behind awslambdaric and Mangum.

The tool reports progress at once and then works for a second. Both functions are warm, and both answer by a stream of
events; Mangum gives it to Lambda when it is whole.
"""

from __future__ import annotations

import argparse
import statistics
import time

from tests.aws.function_url import FunctionURL
from tests.runtime.conftest import call

from .harness import in_turn, show, show_ratio
from .lambda_functions import MEMORIES_MB, ask, functions, give_memory, row

SERVER = """
import asyncio

from fastmcp import Context, FastMCP

mcp = FastMCP("worker")


@mcp.tool()
async def work(ctx: Context) -> str:
    await ctx.report_progress(1, 2)
    await asyncio.sleep(1)
    return "done"
"""
BODY = call("work", token="progress")


def first_byte(front: FunctionURL) -> float:
    """Seconds until the first bytes are there. Raises SystemExit if they do not tell of the progress."""
    started = time.perf_counter()
    answer = ask(front, BODY)
    first = next(answer)
    seconds = time.perf_counter() - started
    if b"notifications/progress" not in first:
        raise SystemExit(f"not progress: {first!r}")
    for _rest in answer:
        pass
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lambda_first_byte", description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args()
    for each in rows(options.rounds):
        show(each)


def rows(rounds: int = 11) -> list[str]:
    """Measures, and returns the row of README."""
    medians: dict[str, list[float]] = {}
    with functions(SERVER, json_response=False) as fronts:
        for memory_mb in MEMORIES_MB:
            give_memory(fronts, memory_mb)
            for front in fronts.values():
                first_byte(front)
            seconds: dict[str, list[float]] = {name: [] for name in fronts}
            for number in range(rounds):
                for name in in_turn(fronts, number):
                    seconds[name].append(first_byte(fronts[name]))
            ours, theirs = (statistics.median(seconds[name]) for name in ("homeport", "Mangum"))
            show_ratio(f"lambda_first_byte {memory_mb} MB", theirs / ours, ">= 10 times sooner")
            for name, each in seconds.items():
                medians.setdefault(name, []).append(statistics.median(each))
    said = "first byte of a tool that reports progress at once and works 1 s"
    return [row(said, MEMORIES_MB, medians["homeport"], medians["Mangum"], "s")]


if __name__ == "__main__":
    main()
