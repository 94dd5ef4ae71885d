"""A Lambda function from nothing to its first answer, against the same server behind awslambdaric and Mangum, both with
their bytecode.

Time begins with the request that finds no sandbox. A sandbox has the processor share of its memory, two processors
while it starts, and stands still while it has no event. homeport answers what it has recorded and imports meanwhile, or
with import_first, which is so by itself below 1024 MB, imports before it takes an event: who connects gains by the one,
a call by the other. The rows of README are printed last.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from homeport_runtime.hosts.aws_lambda.host import IMPORT_FIRST
from tests.aws.function_url import FunctionURL, make_event
from tests.aws.processor import ProcessorShare
from tests.aws.sandbox import PRELUDE_END
from tests.runtime.conftest import call, message

from .harness import in_turn, show, show_ratio
from .lambda_functions import HEADERS, MEMORIES_MB, functions, give_memory, row

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "benchmark", "version": "1"}}
ASKED = {
    "initialize": message("initialize", HELLO),
    "tools/list": message("tools/list", {}),
    "tools/call": call("add", a=1, b=2),
}

OURS, FIRST, THEIRS = "homeport", "import_first", "Mangum"
AHEAD = "started ahead"
# By memory in MB, who, and what: at most this part of the time that the peer takes.
GOALS = {
    **{(memory_mb, OURS, method): "<= 0.17" for memory_mb in (1024, 1769) for method in ("initialize", "tools/list")},
    (512, OURS, "tools/call"): "<= 0.9",
    (1024, OURS, "tools/call"): "<= 0.7",
    (512, OURS, AHEAD): "<= 1.0",
    **{(memory_mb, FIRST, AHEAD): "<= 1.0" for memory_mb in (1024, 1769)},
}
# What README calls them, and whose time is in its rows.
ROWS = {
    ("initialize", OURS): "cold start to the answer of initialize",
    ("tools/list", OURS): "cold start to the answer of tools/list",
    ("tools/call", OURS): "cold start to the answer of a tool",
    (AHEAD, OURS): "an instance started ahead, to its first answer of a tool",
    ("initialize", FIRST): "cold start to the answer of initialize, `import_first`",
    ("tools/call", FIRST): "cold start to the answer of a tool, `import_first`",
    (AHEAD, FIRST): "an instance started ahead, to its first answer of a tool, `import_first`",
}


def first_answer(front: FunctionURL, body: dict[str, Any], headers: dict[str, str] = HEADERS) -> float:
    """Seconds until a sandbox that has answered nothing yet has answered rightly: a new one where there is none."""
    started = time.perf_counter()
    answer = front.invoke(make_event("POST", "/mcp", headers, json.dumps(body).encode()))
    whole = b""
    while (chunk := answer.chunks.get(timeout=60)) is not None:
        whole += chunk
    seconds = time.perf_counter() - started
    if b"result" not in whole.partition(PRELUDE_END)[2] and b"result" not in whole:
        raise SystemExit(f"a wrong answer: {whole!r} {answer.error} {front.log.read_text()[-2000:]}")
    front.sandboxes.pop().stop()
    return seconds


def first_call_ahead(front: FunctionURL, body: dict[str, Any]) -> float:
    """The same for a sandbox that Lambda had started ahead, and that has stood still since (proactive
    initialization).
    """
    front.sandbox().ready.wait(60)
    return first_answer(front, body)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lambda_cold_start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--memory", type=int, nargs="+", default=MEMORIES_MB, metavar="MB")
    options = parser.parse_args()
    for each in rows(options.rounds, options.memory):
        show(each)


def rows(rounds: int = 7, memories_mb: Sequence[int] = MEMORIES_MB) -> list[str]:
    """Measures, and returns the rows of README."""
    if not ProcessorShare.is_possible():
        raise SystemExit("this machine lets nobody make control groups for the processor, as Lambda has them")
    medians: dict[tuple[str, str], list[float]] = {}
    with functions() as made, closing(importing_first(made[OURS])) as first:
        fronts = {**made, FIRST: first}
        for memory_mb in memories_mb:
            give_memory(fronts, memory_mb)
            for title, measure, body in MEASURED:
                found = measured(fronts, measure, body, rounds)
                for name, seconds in found.items():
                    medians.setdefault((title, name), []).append(seconds)
                shown = "   ".join(f"{name} {seconds:6.3f} s" for name, seconds in found.items())
                show(f"{memory_mb} MB {title:<14} {shown}")
                for name in (OURS, FIRST):
                    if goal := GOALS.get((memory_mb, name, title)):
                        named = f"lambda_cold_start {memory_mb} MB {title} {name}"
                        show_ratio(named, found[name] / found[THEIRS], goal)
    return [
        row(said, memories_mb, medians[title, name], medians[title, THEIRS], "s")
        for (title, name), said in ROWS.items()
    ]


def measured(
    fronts: Mapping[str, FunctionURL],
    measure: Callable[[FunctionURL, dict[str, Any]], float],
    body: dict[str, Any],
    rounds: int,
) -> dict[str, float]:
    """The median of each, after one round that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in fronts}
    for front in fronts.values():
        measure(front, body)
    for number in range(rounds):
        for name in in_turn(fronts, number):
            seconds[name].append(measure(fronts[name], body))
    return {name: statistics.median(each) for name, each in seconds.items()}


def importing_first(front: FunctionURL) -> FunctionURL:
    """The same function with import_first."""
    variables = {**front.function.variables, IMPORT_FIRST: "1"}
    return FunctionURL(replace(front.function, variables=variables), front.log.parent)


MEASURED = [*((method, first_answer, body) for method, body in ASKED.items()),
            (AHEAD, first_call_ahead, ASKED["tools/call"])]  # fmt: skip


if __name__ == "__main__":
    main()
