"""A Lambda function from nothing to its first answer of a tool, where callers have a token, scopes, a limit and the
audit log, against the same function that is open to everyone.

The limit is counted in the instance, since the emulator has no DynamoDB whose time means anything: on AWS a call waits
for one write more.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
from collections.abc import Sequence
from contextlib import ExitStack, closing

from homeport_runtime.guard.access import CLIENT_TOKENS
from tests.aws.function_url import FunctionURL
from tests.aws.processor import ProcessorShare
from tests.runtime.workers import kind_source

from .harness import folder, in_turn, show
from .lambda_cold_start import ASKED, first_answer
from .lambda_functions import HEADERS, MEMORIES_MB, check_emulator, give_memory, homeport_function

TOKEN, SCOPE = "homeport_benchmark", "tools:use"
CLIENT = {"hash": hashlib.sha256(TOKEN.encode()).hexdigest(), "client": "load", "scopes": [SCOPE]}
# Both are asked with the token, of which the open one knows nothing.
ASKING = {**HEADERS, "authorization": f"Bearer {TOKEN}"}
GUARD = {
    "scopes": {"rules": {"*": [SCOPE]}, "implies": {}},
    "limits": {"read": [10000, 1.0], "write": [10000, 1.0], "tools": {}, "clients": {}},
    "audit": {"arguments": "redacted", "redact": []},
}


def row(rounds: int = 7, memories_mb: Sequence[int] = MEMORIES_MB) -> str:
    """Measures, and returns the row of README."""
    check_emulator()
    if not ProcessorShare.is_possible():
        raise SystemExit("this machine lets nobody make control groups for the processor, as Lambda has them")
    source = kind_source("fastmcp4")
    with folder("homeport-benchmark-") as root, ExitStack() as closed:
        variables = {CLIENT_TOKENS: json.dumps([CLIENT])}
        guarded = FunctionURL(homeport_function(root / "guarded", source, variables, **GUARD), root)
        opened = FunctionURL(homeport_function(root / "open", source), root)
        fronts = {"guarded": closed.enter_context(closing(guarded)), "open": closed.enter_context(closing(opened))}
        more = []
        for memory_mb in memories_mb:
            give_memory(fronts, memory_mb)
            found = measured(fronts, rounds)
            pairs = zip(found["guarded"], found["open"], strict=True)
            more.append(statistics.median((one - other) * 1000 for one, other in pairs))
            both = " and ".join(f"{statistics.median(each):.3f}" for each in found.values())
            show(f"{memory_mb} MB tools/call {both} s, guarded and open: {more[-1]:+.1f} ms (goal within 3)")
    sizes, said = (", ".join(texts) for texts in (map(str, memories_mb), (f"{each:+.1f}" for each in more)))
    return f"| Lambda with {sizes} MB, cold start to the answer of a tool, guarded | {said} ms | the same, open | |"


def measured(fronts: dict[str, FunctionURL], rounds: int) -> dict[str, list[float]]:
    """The seconds of each round, after one that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in fronts}
    for number in range(rounds + 1):
        for name in in_turn(fronts, number):
            spent = first_answer(fronts[name], ASKED["tools/call"], ASKING)
            if number:
                seconds[name].append(spent)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lambda_guarded", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--memory", type=int, nargs="+", default=MEMORIES_MB, metavar="MB")
    options = parser.parse_args()
    show(row(options.rounds, options.memory))


if __name__ == "__main__":
    main()
