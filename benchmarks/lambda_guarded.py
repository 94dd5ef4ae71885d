"""The processor time of a Lambda function until its first answer of a tool, where callers have a token, scopes, a limit
and the audit log, against the same function that is open to everyone.

Half a second of imports differs by more than a guard costs, and with a wall clock by far more. So processor time is
counted, of the process alone, in two parts that are compared each for itself: until it asks for its first event, when
its server is imported (import_first), and from there to the answer. The first part is that of a server which imports
nothing, so that all that the guard imports is in it, too, and the second that of a server of fastmcp 4. Rounds take
turns, and what counts is the median of the differences within them, shown with its quartiles.

The limit is counted in the instance, since the emulator has no DynamoDB whose time means anything: on AWS a call waits
for one write more.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass

from homeport_runtime.guard.access import CLIENT_TOKENS
from tests.aws.function_url import FunctionURL, make_event
from tests.aws.sandbox import DEADLINE_S, Function
from tests.runtime.workers import kind_source

from .harness import folder, in_turn, show
from .lambda_cold_start import ASKED, importing_first
from .lambda_functions import HEADERS, check_emulator, homeport_function, light_function

TOKEN, SCOPE = "homeport_benchmark", "tools:use"
CLIENT = {"hash": hashlib.sha256(TOKEN.encode()).hexdigest(), "client": "load", "scopes": [SCOPE]}
# Both are asked with the token, of which the open one knows nothing.
ASKING = {**HEADERS, "authorization": f"Bearer {TOKEN}"}
GUARD = {
    "scopes": {"rules": {"*": [SCOPE]}, "implies": {}},
    "limits": {"read": [10000, 1.0], "write": [10000, 1.0], "tools": {}, "clients": {}},
    "audit": {"arguments": "redacted", "redact": []},
}
ROUNDS = 40
PARTS = ("started", "first")
# Answers as a server does, without a library.
LIGHT = """
import json

RESULTS = {
    "initialize": {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                   "serverInfo": {"name": "light", "version": "1"}},
    "tools/list": {"tools": [{"name": "add", "inputSchema": {"type": "object"}}]},
    "tools/call": {"content": [{"type": "text", "text": "3"}]},
}


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        return
    said = json.loads((await receive())["body"]) if scope["method"] == "POST" else {}
    is_asked = scope["path"] == "/mcp" and "id" in said
    answer = {"jsonrpc": "2.0", "id": said.get("id"), "result": RESULTS.get(said.get("method"), {})}
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200 if is_asked else 404, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
"""


@dataclass(frozen=True, slots=True)
class Spent:
    """Milliseconds of a processor: until an instance has `started`, and for its `first` call."""

    started: float
    first: float


@dataclass(frozen=True, slots=True)
class More:
    """By how many milliseconds one takes more than the other: the median of pairs, and their quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, ones: Sequence[float], others: Sequence[float]) -> More:
        low, median, high = statistics.quantiles([one - other for one, other in zip(ones, others, strict=True)])
        return cls(median, low, high)

    def __str__(self) -> str:
        return f"{self.median:+.1f} ms ({self.low:+.1f} to {self.high:+.1f})"


def row(rounds: int = ROUNDS) -> str:
    """Measures, and returns the row of README."""
    check_emulator()
    started = compared("a server without imports", light_function, LIGHT, rounds)["started"]
    first = compared("fastmcp 4", homeport_function, kind_source("fastmcp4"), rounds)["first"]
    more = f"{started.median + first.median:+.1f} ms"
    show(f"lambda_guarded: {more} (goal within 3)")
    return f"| Lambda, processor time from the start to the first answer of a tool, guarded | {more} | open | |"


def compared(title: str, make: Callable[..., Function], source: str, rounds: int) -> dict[str, More]:
    """What the guard adds to each part, of the function that is made of `source`."""
    with folder("homeport-benchmark-") as root, ExitStack() as closed:
        variables = {CLIENT_TOKENS: json.dumps([CLIENT])}
        made = {
            "guarded": make(root / "guarded", source, variables, **GUARD),
            "open": make(root / "open", source),
        }
        fronts = {
            name: closed.enter_context(closing(importing_first(FunctionURL(function, root))))
            for name, function in made.items()
        }
        found = measured(fronts, rounds)
    more = {}
    for part in PARTS:
        ones, others = ([getattr(each, part) for each in found[name]] for name in ("guarded", "open"))
        more[part] = More.of(ones, others)
        medians = f"{statistics.median(ones):.1f} and {statistics.median(others):.1f}"
        show(f"{title}, {part:<7} {medians} ms, guarded and open: {more[part]}")
    return more


def measured(fronts: dict[str, FunctionURL], rounds: int) -> dict[str, list[Spent]]:
    """What each round took, after one that does not count."""
    found: dict[str, list[Spent]] = {name: [] for name in fronts}
    for number in range(rounds + 1):
        for name in in_turn(fronts, number):
            spent = first_call(fronts[name])
            if number:
                found[name].append(spent)
    return found


def first_call(front: FunctionURL) -> Spent:
    """Starts an instance, which stands still when it asks for its first event, and has it answer one.

    Raises SystemExit if it answers wrongly.
    """
    sandbox = front.sandbox()
    sandbox.ready.wait(DEADLINE_S)
    started = processor_ms(sandbox.process.pid)
    answer = front.invoke(make_event("POST", "/mcp", ASKING, json.dumps(ASKED["tools/call"]).encode()))
    whole = b""
    while (chunk := answer.chunks.get(timeout=DEADLINE_S)) is not None:
        whole += chunk
    spent = processor_ms(sandbox.process.pid) - started
    front.sandboxes.pop().stop()
    if b"result" not in whole:
        raise SystemExit(f"a wrong answer: {whole!r} {answer.error} {front.log.read_text()[-2000:]}")
    return Spent(started, spent)


def processor_ms(process: int) -> float:
    """The processor time of all threads that a process has had, to the nanosecond (clock_getcpuclockid(3))."""
    return time.clock_gettime(~process << 3 | 2) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lambda_guarded", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    show(row(options.rounds))


if __name__ == "__main__":
    main()
