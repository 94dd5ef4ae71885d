"""Runs one sandbox of the Lambda emulator: a process started as Lambda does it, and the Runtime API that it asks for
events.

The layout is Lambda's (read-only /var/task and /opt) by a mount namespace of the process, so root is needed.
"""

from __future__ import annotations

import base64
import json
import os
import queue
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO

from .processor import ProcessorShare

DEADLINE_S = 60.0
PRELUDE_END = b"\0" * 8
# What homeport gives a function if nobody says another.
MEMORY_MB = 1024
# The seconds that a function has to come to its first event.
INIT_S = 10.0
MOUNT = (
    "mount -t tmpfs tmpfs /var && mkdir /var/task && mount --bind $TASK /var/task && mount -o remount,bind,ro /var/task"
    " && mount --bind $OPT /opt && mount -o remount,bind,ro /opt"
    # What is bound may itself be in /tmp.
    " && mkdir /var/shared && mount --bind ${SHARED:-/var/shared} /var/shared && mount -t tmpfs tmpfs /tmp"
    ' && if [ "$SHARED" ]; then mkdir /tmp/homeport && ln -s /var/shared /tmp/homeport/files; fi'
    ' && if [ "$MEMBERS" ]; then echo $$ > "$MEMBERS"; fi && unset SHARED MEMBERS && cd /var/task && exec "$@"'
)


def machine() -> str:
    """This one's processor, in Lambda's words: what functions are made for that run here."""
    return {"aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)


@dataclass(frozen=True, slots=True)
class Function:
    """Is a function as it is laid out.

    `task` is /var/task, `opt` is /opt, `variables` its environment; `command` is run instead of Lambda's own, as in an
    image. What its server writes is in `shared` where there is one, for all
    instances, as on a file system of theirs. It has the processor share that comes with `memory_mb`, where this machine
    lets us give it.
    """

    task: Path
    opt: Path
    interpreter: Path
    variables: Mapping[str, str]
    timeout_s: float = 60.0
    command: tuple[str, ...] | None = None
    shared: Path | None = None
    memory_mb: int = MEMORY_MB


@dataclass
class Answer:
    """Is what comes back for one event: `chunks` ends with None; `error` is what Lambda is told of a failure."""

    event: dict[str, Any]
    deadline_s: float
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    chunks: queue.Queue[bytes | None] = field(default_factory=queue.Queue)
    streamed: bool = False
    error: dict[str, Any] | None = None
    sandbox: Sandbox | None = None


def launch(
    function: Function, log: BinaryIO, *before: str, variables: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Starts the function's process in its sandbox; `before` are a command that starts it, and that command's
    arguments.
    """
    environment = {
        "AWS_LAMBDA_FUNCTION_NAME": "emulated",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_REGION": "us-east-1",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TASK": str(function.task),
        "OPT": str(function.opt),
        "SHARED": str(function.shared or ""),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        **(variables or {}),
        **function.variables,
    }
    wrapper = function.variables.get("AWS_LAMBDA_EXEC_WRAPPER")
    managed = [*([wrapper] if wrapper else []), str(function.interpreter), "/var/runtime/bootstrap.py"]
    command = [*before, *(function.command or managed)]
    return subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-ec", MOUNT, "sh", *command],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


class Sandbox:
    """Is one instance of a function: it takes one event at a time.

    If it `freezes` it stands still in between, as on Lambda, from when it asks for an event. `init_error` is set when
    it could not start. With SnapStart it is `snapped` as soon as it is ready to be, and restored when its first
    event comes.
    """

    def __init__(self, function: Function, log: Path, *, freezes: bool = True) -> None:
        self.busy = False
        self.init_error: dict[str, Any] | None = None
        self.ready = threading.Event()
        self.snapped = threading.Event()
        self.restored = threading.Event()
        self.started_at = self.rested_at = time.monotonic()
        self.events: queue.Queue[Answer] = queue.Queue()
        self.open: dict[str, Answer] = {}
        self._lock = threading.Lock()
        self._timeout_s = function.timeout_s
        self._freezes = freezes
        self._server = Server(("127.0.0.1", 0), type("ThisAPI", (RuntimeAPI,), {"sandbox": self}))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self._log = log.open("ab")
        self._share = ProcessorShare(function.memory_mb) if ProcessorShare.is_possible() else None
        variables = {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}"}
        if self._share:
            variables["MEMBERS"] = str(self._share.members)
        self.process = launch(function, self._log, variables=variables)
        threading.Thread(target=self._watch, daemon=True).start()

    def invoke(self, event: dict[str, Any]) -> Answer:
        answer = Answer(event, time.time() + self._timeout_s, sandbox=self)
        self.busy = True
        self.restored.set()
        with self._lock:
            self._signal(signal.SIGCONT)
            self.events.put(answer)
        return answer

    def asked(self) -> None:
        """Notes that the process asks for an event: it has started, and stands still while there is none."""
        if self._share and not self.ready.is_set():
            self._share.started()
        self.ready.set()
        with self._lock:
            if self.events.empty():
                self._signal(signal.SIGSTOP)

    def rest(self) -> None:
        """Notes that its event is over: it stands still from when it asks for the next one, as on Lambda
        (https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html).
        """
        self.rested_at = time.monotonic()
        self.busy = False

    def _signal(self, number: int) -> None:
        if self._freezes and self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def _watch(self) -> None:
        """Waits for the process's end, which breaks off what it was doing."""
        self.process.wait()
        if not self.ready.is_set():
            self.init_error = self.init_error or {"errorType": "Runtime.ExitError", "errorMessage": "it ended"}
            self.ready.set()
        for answer in list(self.open.values()):
            answer.error = answer.error or {"errorType": "Runtime.ExitError", "errorMessage": "the process ended"}
            answer.chunks.put(None)

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        if self._share:
            self._share.remove()
        self._server.shutdown()
        self._server.server_close()
        self._log.close()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def serve_forever(self, poll_interval: float = 0.05) -> None:
        """Serves with a short poll: half a second, as it is otherwise, would be waited for at the end of
        each sandbox.
        """
        super().serve_forever(poll_interval)

    def handle_error(self, *_: object) -> None:
        """Passes over the connection that a killed process has left."""


class RuntimeAPI(BaseHTTPRequestHandler):
    sandbox: Sandbox
    disable_nagle_algorithm = True
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Prints nothing."""

    def do_GET(self) -> None:
        if self.path.endswith("/restore/next"):
            self.sandbox.snapped.set()
            self.sandbox.restored.wait()
            self._reply(200, b"{}")
            return
        self.sandbox.asked()
        answer = self.sandbox.events.get()
        self.sandbox.open[answer.request_id] = answer
        headers = {
            "Lambda-Runtime-Aws-Request-Id": answer.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(answer.deadline_s * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:emulated",
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(time.time()):x}-{'0' * 24};Sampled=0",
        }
        self._reply(200, json.dumps(answer.event).encode(), headers)

    def do_POST(self) -> None:
        if self.path.endswith(("/init/error", "/restore/error")):
            self.sandbox.init_error = {**json.loads(self._body()), "phase": self.path.split("/")[-2]}
            self._reply(202, b"{}")
            return
        answer = self.sandbox.open[self.path.split("/")[-2]]
        if self.path.endswith("/error"):
            answer.error = json.loads(self._body())
        elif self.headers.get("Lambda-Runtime-Function-Response-Mode") == "streaming":
            answer.streamed = True
            answer.error = self._stream(answer)
        else:
            answer.chunks.put(self._body())
        del self.sandbox.open[answer.request_id]
        self._reply(202, b"{}")
        self.sandbox.rest()
        answer.chunks.put(None)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _stream(self, answer: Answer) -> dict[str, Any] | None:
        while size := int(self.rfile.readline(), 16):
            answer.chunks.put(self.rfile.read(size))
            self.rfile.readline()
        trailers = {}
        while line := self.rfile.readline().strip():
            name, _, value = line.partition(b": ")
            trailers[name.lower()] = value
        body = trailers.get(b"lambda-runtime-function-error-body")
        error: dict[str, Any] | None = json.loads(base64.b64decode(body)) if body else None
        return error

    def _reply(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        more = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        for name, value in {**(headers or {}), **more}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
