"""Tests a container's zygote without a container: it connects, forks workers that serve, and signals them on order."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from homeport_runtime.loading.environment import QUIET

from ...conftest import DEADLINE_S, JSON, call, python_with, wait_for
from ...workers import MCP2, close_serving_sockets, layer_of, make_bundle, make_job
from ..test_zygote import Zygote
from .images import command

SOURCE = (
    MCP2
    + """
import os, subprocess
from pathlib import Path

@mcp.tool()
def leave_behind() -> int:
    return subprocess.Popen(["sleep", "3600"]).pid

@mcp.tool()
def home() -> str:
    return str(Path.home())
"""
)


class ContainerZygote(Zygote):
    def __init__(self, folder: Path, python: str) -> None:
        self.python, self.folder = python, folder
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(folder / "zygote.sock"))
            listener.listen(1)
            arguments = f"{str(folder / 'zygote.sock')!r}, Path({str(folder)!r})"
            self.process = subprocess.Popen(
                command(python, "zygote", arguments), env={**QUIET, "HOME": "/"}, stdout=subprocess.PIPE, text=True
            )
            listener.settimeout(DEADLINE_S)
            self.control, _ = listener.accept()
        self.control.settimeout(DEADLINE_S)
        self._answers = self.control.makefile("rb")


@pytest.fixture
def zygote(tmp_path: Path) -> Iterator[ContainerZygote]:
    zygote = ContainerZygote(tmp_path, python_with("mcp>=2"))
    yield zygote
    zygote.close()


def state_of(pid: int) -> str:
    """Returns the state of a process in /proc, empty without one."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def test_it_forks_and_signals_its_own_workers_alone(zygote: ContainerZygote, tmp_path: Path) -> None:
    assert zygote.order(do="load", layer=str(layer_of(zygote.python)), skip=[], modules=["mcp.server"])["threads"] == 1
    bundle = make_bundle(tmp_path, {"server.py": SOURCE})
    job: JSON = make_job(bundle, zygote.python, environment={**QUIET, "PATH": "/usr/bin:/bin", "HOME": "/the/server's"})
    listener = socket.create_server(("127.0.0.1", 0))
    worker = zygote.fork(job, listener).serving()
    try:
        assert worker.post(call("home"))["result"]["content"][0]["text"] == "/the/server's"
        left = int(worker.post(call("leave_behind"))["result"]["content"][0]["text"])
        with subprocess.Popen(["sleep", "3600"], start_new_session=True) as stranger:
            for pid in (stranger.pid, -stranger.pid):
                answer = zygote.order(do="signal", pid=pid, signal=signal.SIGKILL)
                assert answer == {"event": "signalled", "pid": pid}
            assert stranger.poll() is None
            stranger.kill()
        assert zygote.order(do="signal", pid=zygote.pid, signal=signal.SIGTERM)["event"] == "signalled"
        assert zygote.answer() == {"event": "exited", "pid": zygote.pid, "code": -signal.SIGTERM}
        # What the worker has started ends with it.
        assert wait_for(lambda: state_of(left) in ("", "Z"))
        assert zygote.order(do="signal", pid=zygote.pid, signal=signal.SIGKILL)["event"] == "signalled"
    finally:
        close_serving_sockets(listener)
        worker._answers.close()
        worker.control.close()


def test_it_ends_with_its_supervisor(zygote: ContainerZygote) -> None:
    zygote.control.shutdown(socket.SHUT_RDWR)
    assert zygote.process.wait(DEADLINE_S) == 0


def test_its_answers_are_messages(zygote: ContainerZygote) -> None:
    from platform_cli.supervisor.zygote_messages import Signalled, read_message

    answer = zygote.order(do="signal", pid=1, signal=0)
    assert read_message(json.dumps(answer).encode()) == Signalled(1)
