"""A Lambda function from nothing to its first answer, against the same server behind awslambdaric and Mangum.

Time begins with the request that finds no sandbox.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import Any

from tests.aws.function_url import FunctionURL, make_event
from tests.aws.sandbox import PRELUDE_END
from tests.runtime.conftest import call, message

from .harness import in_turn, show, show_ratio
from .lambda_functions import HEADERS, functions

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "benchmark", "version": "1"}}
ASKED = {
    "initialize": message("initialize", HELLO),
    "tools/list": message("tools/list", {}),
    "tools/call": call("add", a=1, b=2),
}


def first_answer(front: FunctionURL, body: dict[str, Any]) -> float:
    """Seconds until a new sandbox has answered rightly."""
    front.fresh = True
    started = time.perf_counter()
    answer = front.invoke(make_event("POST", "/mcp", HEADERS, json.dumps(body).encode()))
    whole = b""
    while (chunk := answer.chunks.get(timeout=60)) is not None:
        whole += chunk
    seconds = time.perf_counter() - started
    if b"result" not in whole.partition(PRELUDE_END)[2] and b"result" not in whole:
        raise SystemExit(f"a wrong answer: {whole!r} {answer.error} {front.log.read_text()[-2000:]}")
    front.sandboxes.pop().stop()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lambda_cold_start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with functions() as fronts:
        for method, body in ASKED.items():
            seconds: dict[str, list[float]] = {name: [] for name in fronts}
            for front in fronts.values():
                first_answer(front, body)
            for number in range(options.rounds):
                for name in in_turn(fronts, number):
                    seconds[name].append(first_answer(fronts[name], body))
            ours, theirs = (statistics.median(seconds[name]) for name in ("homeport", "Mangum"))
            show(f"fastmcp4 {method:<12} homeport {ours:6.3f} s   awslambdaric and Mangum {theirs:6.3f} s")
            if method == "tools/call":
                show_ratio(f"lambda_cold_start {method}", ours / theirs, "<= 0.7")
            else:
                show_ratio(f"lambda_cold_start {method}", theirs / ours, ">= 10 times sooner, and under 0.25 s")


if __name__ == "__main__":
    main()
