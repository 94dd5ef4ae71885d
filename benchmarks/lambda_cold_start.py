"""A Lambda function from nothing to its first answer, against the same server behind awslambdaric and Mangum.

Both run in the tests' emulator (root on Linux: it lays a sandbox out by mount namespaces), with the same packages and
their bytecode. Time begins with the request that finds no sandbox.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sysconfig
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from homeport_runtime import packed
from platform_cli.build.model import Interpreter
from platform_cli.targets.aws_lambda.bytecode import compile_files, sources_of
from tests.aws.function_url import FunctionURL, make_event
from tests.aws.sandbox import PRELUDE_END, Function
from tests.runtime.conftest import call, message, python_with
from tests.runtime.hosts.lambda_functions import lay_out
from tests.runtime.workers import Workers, kind_source

from .harness import folder, show, show_ratio

PACKAGES = ("fastmcp>=4", "awslambdaric", "mangum")
MANGUM = """
from mangum import Mangum
from server import mcp

handler = Mangum(mcp.http_app(path="/mcp", stateless_http=True, json_response=True), lifespan="auto")
"""
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "benchmark", "version": "1"}}
ASKED = {
    "initialize": message("initialize", HELLO),
    "tools/list": message("tools/list", {}),
    "tools/call": call("add", a=1, b=2),
}


def homeport_function(into: Path) -> Function:
    python = python_with(*PACKAGES)
    workers = Workers(lambda: into / "inspection")
    (into / "inspection").mkdir(parents=True)
    report = workers.start(kind_source("fastmcp4"), python, mode="inspect", record=True).expect("inspected")
    workers.close()
    function = lay_out(into, kind_source("fastmcp4"), *PACKAGES, contract=report["contract"])
    (function.task / "discovery.json").write_text(json.dumps(report["discovery"]))
    packages = function.opt / "python"
    sources = {name: packages / name for name in sources_of(report["modules"]) if (packages / name).exists()}
    own = Interpreter(Path(python), sysconfig.get_python_version(), "")
    (packages / packed.FILE_NAME).write_bytes(packed.pack(compile_files(sources, own)))
    return function


def mangum_function(into: Path) -> Function:
    function = lay_out(into, kind_source("fastmcp4"), *PACKAGES, variables={"PYTHONPATH": "/opt/python:/var/task/app"})
    (function.task / "app" / "lambda_function.py").write_text(MANGUM)
    return replace(function, command=(str(function.interpreter), "-m", "awslambdaric", "lambda_function.handler"))


def first_answer(front: FunctionURL, body: dict[str, Any]) -> float:
    """Seconds until a new sandbox has answered rightly."""
    headers = {"host": "127.0.0.1", "accept": "application/json, text/event-stream", "content-type": "application/json"}
    front.fresh = True
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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lambda_cold_start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    made: dict[str, Callable[[Path], Function]] = {"homeport": homeport_function, "Mangum": mangum_function}
    with folder("homeport-benchmark-") as root:
        fronts = {name: FunctionURL(make(root / name), root) for name, make in made.items()}
        for method, body in ASKED.items():
            seconds: dict[str, list[float]] = {name: [] for name in fronts}
            for front in fronts.values():
                first_answer(front, body)
            for number in range(options.rounds):
                for name in fronts if number % 2 == 0 else reversed(fronts):
                    seconds[name].append(first_answer(fronts[name], body))
            ours, theirs = (statistics.median(seconds[name]) for name in ("homeport", "Mangum"))
            show(f"fastmcp4 {method:<12} homeport {ours:6.3f} s   awslambdaric and Mangum {theirs:6.3f} s")
            if method == "tools/call":
                show_ratio(f"lambda_cold_start {method}", ours / theirs, "<= 0.7")
            else:
                show_ratio(f"lambda_cold_start {method}", theirs / ours, ">= 10 times sooner, and under 0.25 s")
        for front in fronts.values():
            front.close()


if __name__ == "__main__":
    main()
