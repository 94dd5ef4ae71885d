"""Servers as real processes: one server or program under uvicorn, in an environment that has what it needs."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs
import pytest
import uv

from ..support import require

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
DEADLINE_S = 60.0

JSON = dict[str, Any]


@cache
def python_with(*requirements: str) -> str:
    """Returns the interpreter of an environment with these requirements and uvicorn, made once and kept across runs."""
    chosen = os.environ.get("HOMEPORT_TEST_CACHE")
    root = Path(chosen) if chosen else platformdirs.user_cache_path("homeport-tests")
    root.mkdir(parents=True, exist_ok=True)
    wanted = [*requirements, "uvicorn"]
    key = hashlib.sha256("\0".join([sys.version, sys.base_prefix, "runtime", *wanted]).encode()).hexdigest()[:16]
    folder = root / key
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / ".complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            program = uv.find_uv_bin()
            install = ["pip", "install", "--quiet", "--compile-bytecode", "--python", str(folder), *wanted]
            for command in (["venv", "--quiet", "--python", sys.executable, str(folder)], install):
                ran = subprocess.run([program, *command], capture_output=True, text=True, check=False)
                require(ran.returncode == 0, f"uv {command[0]} failed: {ran.stderr[-500:]}")
            (folder / ".complete").touch()
    return str(folder / "bin" / "python")


def wait_for(condition: Callable[[], Any]) -> Any:
    """Returns what `condition` answers once that is true; it fails after a deadline."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        answer = condition()
        if answer:
            return answer
        time.sleep(0.02)
    raise AssertionError(f"still not true after {DEADLINE_S} s: {condition}")


def message(method: str, params: JSON | None = None, request_id: object = 1) -> JSON:
    whole: JSON = {"jsonrpc": "2.0", "id": request_id, "method": method}
    return whole if params is None else {**whole, "params": params}


def call(tool: str, request_id: object = 1, token: object = None, **arguments: object) -> JSON:
    params: JSON = {"name": tool, "arguments": arguments}
    if token is not None:
        params["_meta"] = {"progressToken": token}
    return message("tools/call", params, request_id)


@dataclass
class Reply:
    """Is an HTTP answer that is read as it comes."""

    raw: http.client.HTTPResponse
    _body: bytes | None = field(default=None)

    @property
    def status(self) -> int:
        return self.raw.status

    def header(self, name: str) -> str:
        return self.raw.headers.get(name) or ""

    def event(self) -> tuple[str, str]:
        """Returns the next event, its name and its data. Comments are passed over."""
        name, data = "message", ""
        for line in self.raw:
            text = line.decode().rstrip("\r\n")
            if text.startswith("event: "):
                name = text.removeprefix("event: ")
            elif text.startswith("data: "):
                data = text.removeprefix("data: ")
            elif not text and data:
                return name, data
        raise AssertionError("the stream has ended")

    def next(self) -> JSON:
        answer: JSON = json.loads(self.event()[1])
        return answer

    def rpc(self) -> JSON:
        """Returns the response, wherever it is."""
        if not self.header("content-type").startswith("text/event-stream"):
            answer: JSON = json.loads(self.raw.read())
            return answer
        while "method" in (answer := self.next()):
            pass
        return answer


BOTH = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


@dataclass
class Served:
    process: subprocess.Popen[str]
    port: int
    folder: Path
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def request(self, method: str, path: str, body: object = None, headers: JSON | None = None) -> Iterator[Reply]:
        """Sends one request on a connection of its own, which is closed at the end."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)) as connection:
            data = body if isinstance(body, bytes) or body is None else json.dumps(body)
            connection.request(method, path, data, {**BOTH, **(headers or {})})
            with closing(connection.getresponse()) as raw:
                yield Reply(raw)

    def post(self, body: object, headers: JSON | None = None) -> JSON:
        """Returns the response to one message at /mcp."""
        with self.request("POST", "/mcp", body, headers) as reply:
            return reply.rpc()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(DEADLINE_S)


Serve = Callable[..., Served]


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Starts a server: `command=[...]` for a stdio program, `file=Path` for a Python server; `sessions` if wanted."""
    running: list[Served] = []

    def start(*, python: str = sys.executable, **spec: object) -> Served:
        folder = tmp_path_factory.mktemp("served")
        log = folder / "stderr.txt"
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "runtime"), "PYTHONWARNINGS": "ignore"}
        with log.open("w") as stderr:
            process = subprocess.Popen(
                [python, str(HERE / "served.py"), json.dumps(spec, default=str)],
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        assert process.stdout is not None
        with process.stdout as stdout:
            line = stdout.readline()
        if not line:
            process.wait(DEADLINE_S)
            raise AssertionError(f"it did not start:\n{log.read_text()}")
        served = Served(process, int(line), folder, log)
        running.append(served)
        return served

    yield start
    for served in running:
        served.stop()


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Starts workers as the supervisor does, see workers.py."""
    from .workers import Workers

    running = Workers(lambda: tmp_path_factory.mktemp("worker"))
    yield running
    running.close()
