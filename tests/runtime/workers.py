"""Bundles made of a few lines of source, and workers that serve them, started as the supervisor starts them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homeport_runtime.loading.environment import QUIET
from platform_cli.supervisor.launch import BOOT, PYTHON_FLAGS

from ..support import SERVERS
from .conftest import DEADLINE_S, JSON, ROOT, Served, python_with, wait_for

REQUIREMENTS = {
    "fastmcp2": "fastmcp<3",
    "fastmcp3": "fastmcp<4",
    "fastmcp4": "fastmcp>=4",
    "mcp1_fastmcp": "mcp<2",
    "mcp1_lowlevel": "mcp<2",
    "mcp2_lowlevel": "mcp>=2",
    "mcp2_mcpserver": "mcp>=2",
    "asgi": "mcp>=2",
}

# An MCP server of mcp 2 up to its tools.
MCP2 = "from mcp.server import MCPServer\n\nmcp = MCPServer('tested')\n"


def kind_source(kind: str) -> str:
    return (SERVERS / kind / "server.py").read_text()


def layer_of(python: str) -> Path:
    return next((Path(python).parent.parent / "lib").glob("python3*")) / "site-packages"


def make_bundle(
    folder: Path,
    files: Mapping[str, str],
    *,
    file: str | None = "server.py",
    object: str | None = None,
    program: JSON | None = None,
    args: Sequence[str] = (),
    roots: Sequence[str] = (),
    command: Sequence[str] | None = None,
    sessions: bool = False,
    start_timeout_s: float = DEADLINE_S,
    memory_mb: int = 4096,
) -> Path:
    """Makes a bundle of these files, as the pipeline lays one out; its working folder is `folder`/work."""
    app, work = folder / "bundle" / "app", folder / "work"
    for root in (app, work):
        root.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
    manifest = {
        "format": 1,
        "entrypoint": {"file": file, "object": object} if program is None and command is None else None,
        "program": program,
        "args": list(args),
        "roots": list(roots),
        "command": list(command) if command else None,
        "sessions": sessions,
        "start_timeout_s": start_timeout_s,
        "memory_mb": memory_mb,
    }
    (folder / "bundle" / "manifest.json").write_text(json.dumps(manifest))
    return folder / "bundle"


def make_job(bundle: Path, python: str, mode: str = "serve", **changes: object) -> JSON:
    job: JSON = {
        "mode": mode,
        "manifest": json.loads((bundle / "manifest.json").read_bytes()),
        "bundle": str(bundle),
        "workdir": str(bundle.parent / "work"),
        "layer": str(layer_of(python)),
        "environment": {**QUIET, "PATH": os.environ["PATH"], "HOME": str(bundle.parent)},
        "names": [],
        "idle_s": None,
        "alone": True,
        "state_key": None,
    }
    return {**job, **changes}


def records_in(path: Path) -> list[JSON]:
    """Returns the records in a worker's output, whole lines only; what is no record is given as its text."""
    lines = path.read_bytes().decode("utf-8", "replace").split("\n")[:-1]
    return [json.loads(line[1:]) if line.startswith("\x1e") else {"plain": line} for line in lines if line]


@dataclass
class Worker(Served):
    control: socket.socket
    out: Path

    def __post_init__(self) -> None:
        self._answers = self.control.makefile("rb")

    def tell(self, **order: object) -> None:
        self.control.sendall(json.dumps(order).encode() + b"\n")

    def event(self) -> JSON:
        """Returns what the worker says next, but for its signs of life; `{"event": "gone"}` when it has
        closed its end.
        """
        while line := self._answers.readline():
            answer: JSON = json.loads(line)
            if answer["event"] != "load":
                return answer
        return {"event": "gone"}

    def expect(self, event: str) -> JSON:
        answer = self.event()
        assert answer["event"] == event, (answer, self.log.read_text()[-2000:], self.out.read_text()[-2000:])
        return answer

    def serving(self) -> Worker:
        self.expect("ready")
        self.tell(do="accept")
        self.expect("accepting")
        return self

    def call(self, tool: str, headers: JSON | None = None, **arguments: object) -> Any:
        """Returns the text that a tool answers over /mcp."""
        params = {"name": tool, "arguments": arguments}
        answer = self.post({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, headers)
        assert "result" in answer, answer
        return answer["result"]["content"][0]["text"]

    def records(self) -> list[JSON]:
        return records_in(self.out)

    def record(self, matches: Callable[[JSON], object]) -> JSON:
        """Returns the first record that matches, once it is written."""
        found: list[JSON] = wait_for(lambda: [record for record in self.records() if matches(record)])
        return found[0]

    def calls(self, count: int = 1) -> list[JSON]:
        """Returns the call records, once there are as many."""
        found: list[JSON] = wait_for(
            lambda: [c] if len(c := [r["call"] for r in self.records() if "call" in r]) >= count else None
        )[0]
        return found

    def stop(self) -> None:
        self._answers.close()
        self.control.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE_S)


EXCHANGES: dict[socket.socket, tuple[socket.socket, socket.socket]] = {}


def serving_sockets(listener: socket.socket | None) -> tuple[socket.socket, ...]:
    """Returns what a worker on this listener is given: the socket, and the exchange of connections that
    belongs to it.
    """
    if listener is None:
        return ()
    if listener not in EXCHANGES:
        EXCHANGES[listener] = socket.socketpair()
    return (listener, *EXCHANGES[listener])


def close_serving_sockets(listener: socket.socket) -> None:
    for sock in (listener, *EXCHANGES.pop(listener, ())):
        sock.close()


def start_process(
    job: JSON, python: str, listener: socket.socket | None = None, environment: Mapping[str, str] = QUIET
) -> Worker:
    """Starts a plain worker process for `job`. With a listener it serves, else it inspects."""
    ours, theirs = socket.socketpair()
    ours.settimeout(DEADLINE_S)
    handed = [theirs.fileno(), *(sock.fileno() for sock in serving_sockets(listener))]
    folder = Path(job["bundle"]).parent
    number = len(list(folder.glob("out-*.txt")))
    out, log = folder / f"out-{number}.txt", folder / f"err-{number}.txt"
    with out.open("wb") as stdout, log.open("wb") as stderr:
        process = subprocess.Popen(
            [python, *PYTHON_FLAGS, "-c", BOOT, str(ROOT / "runtime"), *map(str, handed)],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            pass_fds=handed,
            start_new_session=True,
            cwd="/",
            env=dict(environment),
            text=True,
        )
    theirs.close()
    port = listener.getsockname()[1] if listener is not None else 0
    worker = Worker(process, port, folder, log, ours, out)
    worker.tell(**job)
    return worker


class Workers:
    """Starts workers and ends them all."""

    def __init__(self, folder: Callable[[], Path]) -> None:
        self._folder = folder
        self._running: list[Worker] = []
        self._listeners: list[socket.socket] = []

    def listen(self) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", 0))
        self._listeners.append(listener)
        return listener

    def start(
        self,
        files: Mapping[str, str] | str,
        python: str = sys.executable,
        *,
        mode: str = "serve",
        listener: socket.socket | None = None,
        bundle: Path | None = None,
        manifest: JSON | None = None,
        **job: object,
    ) -> Worker:
        """Starts a worker of this source, and tells it its job. `job` changes the job, `manifest` what `make_bundle`
        takes.
        """
        sources = {"server.py": files} if isinstance(files, str) else files
        bundle = bundle or make_bundle(self._folder(), sources, **(manifest or {}))
        if mode == "serve":
            listener = listener or self.listen()
        worker = start_process(make_job(bundle, python, mode, **job), python, listener)
        self._running.append(worker)
        return worker

    def serve(self, files: Mapping[str, str] | str, python: str = sys.executable, **options: Any) -> Worker:
        return self.start(files, python, **options).serving()

    def kind(self, kind: str, **options: Any) -> Worker:
        """Serves the test server of this kind."""
        return self.serve(kind_source(kind), python_with(REQUIREMENTS[kind]), **options)

    def close(self) -> None:
        for worker in self._running:
            worker.stop()
        for listener in self._listeners:
            close_serving_sockets(listener)
