"""What noticing errors costs a worker: processor time of a call that is well, and of an exception with its record."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import statistics
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from homeport_runtime.servers import failures
from homeport_runtime.telemetry.error_records import WHOLE, ErrorRecords, record_errors, report
from homeport_runtime.telemetry.exceptions import kind_of

from .harness import show, show_ratio

CALLS = 20_000
SERVER = """
def find(table, key):
    return table[key]

def deep(left):
    return deep(left - 1) if left else find({}, "k")
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.error_records", description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    options = parser.parse_args()
    success = [more_of_a_call() for _ in range(options.rounds)]
    show(f"a call that is well: {statistics.median(success):.2f} µs more (goal at most 2)")
    with tempfile.TemporaryDirectory() as folder:
        for depth in (3, 33):
            ours, peers = exceptions(Path(folder), depth, options.rounds)
            ratio = statistics.median(a / b for a, b in zip(ours, peers, strict=True))
            show(
                f"{depth} frames: {statistics.median(ours):.0f} µs (goal at most 200), "
                f"traceback.format_exception {statistics.median(peers):.0f} µs"
            )
            show_ratio("error_records", ratio, "at most 1")


def more_of_a_call() -> float:
    """Returns the microseconds that a handler takes longer when its failures are watched."""
    request = SimpleNamespace(method="tools/call", params=SimpleNamespace(name="add"))

    async def handler(_request: Any) -> int:
        return 1

    async def passing(request: Any) -> int:
        return await handler(request)

    async def many(function: Callable[[Any], Any]) -> float:
        start = time.process_time()
        for _ in range(CALLS):
            await function(request)
        return (time.process_time() - start) / CALLS * 1e6

    gc.collect()
    watched = failures._watching_request(handler)
    return asyncio.run(many(watched)) - asyncio.run(many(passing))


def exceptions(folder: Path, depth: int, rounds: int) -> tuple[list[float], list[float]]:
    """Returns the microseconds that the record of an exception takes, and those of formatting it, of each round."""
    file = folder / "server.py"
    file.write_text(SERVER)
    server = ModuleType("server")
    exec(compile(SERVER, str(file), "exec"), vars(server))
    ours, peers = [], []
    # Records go to standard output, which nobody reads here.
    output = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        for _ in range(rounds):
            record_errors(ErrorRecords(folder, folder / "layer", {"KEY": "s3cret-of-the-shop"}, {"add"}))
            raised = [caught(server.deep, depth - 2) for _ in range(WHOLE)]
            ours.append(spent(lambda error: report(error, kind_of(error)), raised))
            peers.append(spent(traceback.format_exception, [caught(server.deep, depth - 2) for _ in range(WHOLE)]))
    finally:
        os.dup2(output, 1)
        os.close(output)
    return ours, peers


def caught(function: Callable[[int], object], depth: int) -> Exception:
    try:
        function(depth)
    except Exception as error:
        return error
    raise AssertionError(depth)


def spent(function: Callable[[Exception], object], errors: list[Exception]) -> float:
    start = time.process_time()
    for error in errors:
        function(error)
    return (time.process_time() - start) / len(errors) * 1e6


if __name__ == "__main__":
    main()
