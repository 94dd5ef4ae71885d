"""One server as two functions in the tests' emulator: homeport's, and its peer behind awslambdaric and Mangum.

Both have the same packages and their bytecode, and stand still between two events. The emulator needs root on Linux: it
lays sandboxes out by mount namespaces, and gives them the processor of their memory where it may make control groups.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from homeport_runtime.loading import packed
from platform_cli.pipeline.model import Interpreter
from platform_cli.targets.aws_lambda.bytecode import compile_files, compile_in_place, sources_of
from tests.aws.function_url import FunctionURL, make_event
from tests.aws.sandbox import DEADLINE_S, PRELUDE_END, Function
from tests.runtime.conftest import python_with
from tests.runtime.hosts.aws_lambda.lambda_functions import lay_out
from tests.runtime.workers import Workers, kind_source

from .harness import folder

PACKAGES = ("fastmcp>=4", "awslambdaric", "mangum")
MANGUM = """
from mangum import Mangum
from server import mcp

handler = Mangum(mcp.http_app(path="/mcp", stateless_http=True, json_response={json_response}), lifespan="auto")
"""
# Half of a processor and less, what homeport gives if nobody says another, and a whole one.
MEMORIES_MB = (512, 1024, 1769)
HEADERS = {"host": "127.0.0.1", "accept": "application/json, text/event-stream", "content-type": "application/json"}


@contextmanager
def functions(source: str = kind_source("fastmcp4"), *, json_response: bool = True) -> Iterator[dict[str, FunctionURL]]:
    """Where the server in `source` answers: as `homeport`, and as `Mangum`, with FastMCP's `json_response`."""
    check_emulator()
    with folder("homeport-benchmark-") as root:
        fronts = {
            "homeport": FunctionURL(homeport_function(root / "homeport", source), root),
            "Mangum": FunctionURL(_mangum_function(root / "Mangum", source, json_response=json_response), root),
        }
        try:
            yield fronts
        finally:
            for front in fronts.values():
                front.close()


def give_memory(fronts: Mapping[str, FunctionURL], memory_mb: int) -> None:
    """Gives the functions that memory; sandboxes with another end."""
    for front in fronts.values():
        front.function = replace(front.function, memory_mb=memory_mb)
        while front.sandboxes:
            front.sandboxes.pop().stop()


def row(said: str, memories_mb: Sequence[int], ours: Sequence[float], theirs: Sequence[float], unit: str) -> str:
    """A row of README's table: what was measured with each memory."""

    def joined(texts: Iterable[str]) -> str:
        *most, last = texts
        return f"{', '.join(most)} and {last}" if most else last

    own, peers = (joined(f"{value:.3g}" for value in side) for side in (ours, theirs))
    ratio = joined(f"{one / other:.2g}" for one, other in zip(ours, theirs, strict=True))
    sizes = joined(map(str, memories_mb))
    return f"| Lambda with {sizes} MB, {said} | {own} {unit} | awslambdaric and Mangum {peers} {unit} | {ratio} |"


def check_emulator() -> None:
    """Raises SystemExit where it cannot run."""
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("unshare") is None:
        raise SystemExit("the emulator of Lambda needs root on Linux, and unshare")


def homeport_function(into: Path, source: str, variables: Mapping[str, str] | None = None, **manifest: Any) -> Function:
    """The function as homeport lays it out, with its bytecode; `manifest` adds to the bundle's."""
    python = python_with(*PACKAGES)
    workers = Workers(lambda: into / "inspection")
    (into / "inspection").mkdir(parents=True)
    report = workers.start(source, python, mode="inspect", record=True).expect("inspected")
    workers.close()
    function = lay_out(into, source, *PACKAGES, variables=variables, contract=report["contract"], **manifest)
    (function.task / "discovery.json").write_text(json.dumps(report["discovery"]))
    packages = function.opt / "python"
    sources = {name: packages / name for name in sources_of(report["modules"]) if (packages / name).exists()}
    own = Interpreter(Path(python), sysconfig.get_python_version(), "")
    (packages / packed.FILE_NAME).write_bytes(packed.pack_bytecode(compile_files(sources, own)))
    _compile_runtime(function, own)
    return function


def light_function(into: Path, app: str, variables: Mapping[str, str] | None = None, **manifest: Any) -> Function:
    """The same for an ASGI app called `app` that imports no package, which nobody has inspected."""
    entrypoint = {"file": "server.py", "object": "app"}
    function = lay_out(into, app, *PACKAGES, variables=variables, entrypoint=entrypoint, **manifest)
    _compile_runtime(function, Interpreter(Path(python_with(*PACKAGES)), sysconfig.get_python_version(), ""))
    return function


def _compile_runtime(function: Function, interpreter: Interpreter) -> None:
    packages = function.opt / "python"
    runtime = sorted((packages / "homeport_runtime").rglob("*.py"))
    compile_in_place({file.relative_to(packages).as_posix(): file for file in runtime}, interpreter)


def _mangum_function(into: Path, source: str, *, json_response: bool) -> Function:
    function = lay_out(into, source, *PACKAGES, variables={"PYTHONPATH": "/opt/python:/var/task/app"})
    (function.task / "app" / "lambda_function.py").write_text(MANGUM.format(json_response=json_response))
    return replace(function, command=(str(function.interpreter), "-m", "awslambdaric", "lambda_function.handler"))


def ask(front: FunctionURL, body: dict[str, Any]) -> Iterator[bytes]:
    """The answer as it comes, without what is only for Lambda. Raises SystemExit if it was not a result."""
    answer = front.invoke(make_event("POST", "/mcp", HEADERS, json.dumps(body).encode()))
    whole = b""
    while (chunk := answer.chunks.get(timeout=DEADLINE_S)) is not None:
        whole += chunk
        if said := chunk.rpartition(PRELUDE_END)[2]:
            yield said
    if b"result" not in whole.rpartition(PRELUDE_END)[2]:
        raise SystemExit(f"a wrong answer: {whole!r} {answer.error} {front.log.read_text()[-2000:]}")
