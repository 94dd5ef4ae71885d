"""Tests a zygote: it loads, forks workers that serve, and tells how they ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from homeport_runtime.hosts.confinement import can_hide
from homeport_runtime.hosts.zygote import REHEARSAL
from homeport_runtime.loading.environment import QUIET
from platform_cli.supervisor.launch import PYTHON_FLAGS
from platform_cli.supervisor.zygote import BOOT

from ...support import require
from ..conftest import DEADLINE_S, JSON, ROOT, python_with, wait_for
from ..workers import (
    MCP2,
    Worker,
    close_serving_sockets,
    layer_of,
    make_bundle,
    make_job,
    serving_sockets,
    start_process,
)

SOURCE = MCP2 + (
    "import os, sys\n\n@mcp.tool()\ndef facts() -> list[str]:\n"
    "    own = [os.environ.get(name, '') for name in ('MINE', 'OF_THE_ZYGOTE')]\n"
    "    return [str(os.getpid()), *own, str(os.getppid())]\n"
)


class Zygote:
    def __init__(self, folder: Path, python: str, boot: str = BOOT) -> None:
        self.python = python
        self.folder = folder
        self.control, theirs = socket.socketpair()
        self.control.settimeout(DEADLINE_S)
        self.process = subprocess.Popen(
            [self.python, *PYTHON_FLAGS, "-c", boot, str(ROOT / "runtime"), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            start_new_session=True,
            env={**QUIET, "OF_THE_ZYGOTE": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        theirs.close()
        self._answers = self.control.makefile("rb")

    def answer(self) -> JSON:
        answer: JSON = json.loads(self._answers.readline())
        return answer

    def order(self, descriptors: tuple[int, ...] = (), **order: Any) -> JSON:
        socket.send_fds(self.control, [json.dumps(order).encode() + b"\n"], descriptors)
        return self.answer()

    def fork(self, job: JSON, listener: socket.socket | None) -> Worker:
        ours, theirs = socket.socketpair()
        ours.settimeout(DEADLINE_S)
        out, log = self.folder / "out.txt", self.folder / "err.txt"
        with out.open("wb") as stdout, log.open("wb") as stderr:
            handed: tuple[int, ...] = (theirs.fileno(), stdout.fileno(), stderr.fileno())
            handed += tuple(sock.fileno() for sock in serving_sockets(listener))
            forked = self.order(handed, do="fork")
        theirs.close()
        assert forked["event"] == "forked"
        port = listener.getsockname()[1] if listener else 0
        worker = Worker(self.process, port, self.folder, log, ours, out)
        worker.tell(**job)
        self.pid = forked["pid"]
        return worker

    def close(self) -> None:
        self._answers.close()
        self.control.close()
        self.process.kill()
        self.process.communicate(timeout=DEADLINE_S)


@pytest.fixture
def zygote(tmp_path: Path) -> Iterator[Zygote]:
    zygote = Zygote(tmp_path, python_with("mcp>=2"))
    yield zygote
    zygote.close()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    listener = socket.create_server(("127.0.0.1", 0))
    yield listener
    close_serving_sockets(listener)


def test_a_forked_worker_serves_and_its_end_is_told(zygote: Zygote, tmp_path: Path, listener: socket.socket) -> None:
    layer = str(layer_of(zygote.python))
    loaded = zygote.order(do="load", layer=layer, skip=[], modules=["mcp.server", "there.is.no.such.module"])
    assert (loaded["event"], loaded["threads"]) == ("loaded", 1)
    assert loaded["modules"] > 300
    job = make_job(make_bundle(tmp_path, {"server.py": SOURCE}), zygote.python, environment={"MINE": "1"})
    worker = zygote.fork(job, listener).serving()
    with worker.request("GET", "/health") as reply:
        assert reply.status == 200
    answer = worker.post({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "facts"}})
    pid, own, of_the_zygote, parent = answer["result"]["structuredContent"]["result"]
    assert (int(pid), int(parent)) == (zygote.pid, zygote.process.pid)
    assert (own, of_the_zygote) == ("1", "")
    worker.tell(do="close")
    assert zygote.answer() == {"event": "exited", "pid": zygote.pid, "code": 0}
    worker._answers.close()
    worker.control.close()


@pytest.mark.parametrize("killed", [False, True])
def test_a_worker_that_fails_is_told_with_its_code(zygote: Zygote, tmp_path: Path, killed: bool) -> None:
    source = "import time\ntime.sleep(3600)\n" if killed else "1 / 0\n"
    worker = zygote.fork(make_job(make_bundle(tmp_path, {"server.py": source}), zygote.python, "inspect"), None)
    if killed:
        os.kill(zygote.pid, signal.SIGKILL)
    else:
        assert "ZeroDivisionError" in worker.expect("failed")["message"]
    assert zygote.answer() == {"event": "exited", "pid": zygote.pid, "code": -9 if killed else 1}
    worker._answers.close()
    worker.control.close()


def test_it_ends_with_its_supervisor(zygote: Zygote) -> None:
    zygote.control.shutdown(socket.SHUT_RDWR)
    assert wait_for(lambda: zygote.process.poll() is not None)


NUMBERS = (
    MCP2
    + """
import numpy
from pathlib import Path

@mcp.tool()
def multiply() -> list[str]:
    numbers = numpy.arange(250_000, dtype=float).reshape(500, 500) / 1000
    product = numbers @ numbers.T
    return [product.tobytes().hex()[:4096], str(product.sum()), str(len(list(Path("/proc/self/task").iterdir())))]
"""
)


def test_a_library_that_ends_its_threads_before_a_fork_is_forked(tmp_path: Path) -> None:
    """The library is OpenBLAS, which comes with numpy; its results and its threads are those of a plain process."""
    python = python_with("mcp>=2", "numpy")
    job = make_job(make_bundle(tmp_path, {"server.py": NUMBERS}), python)
    zygote, answers = Zygote(tmp_path, python), []
    plain: list[Worker] = []

    def start_plain(listener: socket.socket) -> Worker:
        plain.append(start_process(job, python, listener))
        return plain[0]

    try:
        loaded = zygote.order(do="load", layer=str(layer_of(python)), skip=[], modules=["mcp.server", "numpy"])
        assert (loaded["threads"], loaded["offender"]) == (1, None)
        for start in (partial(zygote.fork, job), start_plain):
            listener = socket.create_server(("127.0.0.1", 0))
            worker = start(listener).serving()
            request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "multiply"}}
            answers.append(worker.post(request)["result"]["structuredContent"]["result"])
            worker.tell(do="close")
            worker._answers.close()
            worker.control.close()
            close_serving_sockets(listener)
    finally:
        zygote.close()
    assert plain[0].process.wait(DEADLINE_S) == 0
    assert answers[0] == answers[1]


def test_a_thread_that_stays_names_its_module(zygote: Zygote, tmp_path: Path) -> None:
    (tmp_path / "threads_at_import.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(3600,), daemon=True).start()\n"
    )
    loaded = zygote.order(do="load", layer=str(tmp_path), skip=[], modules=["threads_at_import"])
    assert (loaded["threads"], loaded["offender"]) == (2, "threads_at_import")


# A zygote without memory or processes for its first worker.
POOR = """
import os, socket, sys
sys.path.append(sys.argv[1])
from homeport_runtime.hosts.zygote import Zygote

fork, refused = os.fork, []

def poor():
    if refused:
        return fork()
    refused.append(True)
    print("refused", flush=True)
    raise BlockingIOError(11, "Resource temporarily unavailable")

os.fork = poor
orders = socket.socket(fileno=int(sys.argv[2]))
Zygote(orders, orders, in_room=True).run()
"""


def test_one_that_cannot_fork_ahead_goes_on_without(tmp_path: Path) -> None:
    zygote = Zygote(tmp_path, sys.executable, POOR)
    try:
        assert zygote.order(do="load", layer=str(tmp_path), skip=[REHEARSAL], modules=[])["threads"] == 1
        assert zygote.process.stdout is not None
        assert zygote.process.stdout.readline() == "refused\n"
        ours, theirs = socket.socketpair()
        with (tmp_path / "out").open("wb") as out, ours, theirs:
            forked = zygote.order((theirs.fileno(), out.fileno(), out.fileno()), do="fork")
            assert forked["event"] == "forked"
        # Nobody told the worker what it is.
        ended = zygote.answer()
        assert (ended["event"], ended["pid"]) == ("exited", forked["pid"])
    finally:
        zygote.close()


# Writes down which process makes a server.
COUNTED = """
import os
from mcp.server.mcpserver import MCPServer

make = MCPServer.__init__

def counted(self, *given, **named):
    with open({file!r}, "a") as lines:
        lines.write(f"{{os.getpid()}}\\n")
    make(self, *given, **named)

MCPServer.__init__ = counted
"""
IN_ROOM = """
import os, socket, sys
sys.path.append(sys.argv[1])
from homeport_runtime.hosts.zygote import Zygote

orders = socket.socket(fileno=int(sys.argv[2]))
Zygote(orders, orders, in_room=True).run()
"""


def test_a_preforked_worker_has_rehearsed_before_its_order(tmp_path: Path, listener: socket.socket) -> None:
    """It serves afterwards as one that has not."""
    require(can_hide(tmp_path), "a system that lets processes have mount namespaces")
    made, layer = tmp_path / "made", tmp_path / "layer"
    layer.mkdir()
    (layer / "counted.py").write_text(COUNTED.format(file=str(made)))
    (layer / "sdk.pth").write_text(f"{layer_of(python_with('mcp>=2'))}\n")
    zygote = Zygote(tmp_path, python_with("mcp>=2"), IN_ROOM)
    try:
        zygote.order(do="load", layer=str(layer), skip=[], modules=["counted"])
        preforked = zygote.answer()
        assert preforked["event"] == "preforked"
        assert wait_for(lambda: len(made.read_text().split()) == 2)
        assert made.read_text().split() == [str(zygote.process.pid), str(preforked["pid"])]
        job = make_job(make_bundle(tmp_path, {"server.py": SOURCE}), zygote.python)
        worker = zygote.fork(job, listener).serving()
        assert zygote.pid == preforked["pid"]
        with worker.request("GET", "/health") as reply:
            assert reply.status == 200
        worker.tell(do="close")
        worker._answers.close()
        worker.control.close()
    finally:
        zygote.close()
