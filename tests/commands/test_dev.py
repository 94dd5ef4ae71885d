"""Tests `homeport dev` as a person runs it: a process in the foreground, a project folder in which files are saved."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commands.conftest import DEADLINE_S, Run, environment
from tests.support import ROOT, SERVERS, Deployment, Platform


class Dev:
    """Is a running `homeport dev`, whose lines, of stdout and stderr together, are read as they come."""

    def __init__(self, folder: Path, command: list[str], env: dict[str, str]) -> None:
        self.folder = folder
        self.server = folder / "server.py"
        self.seen: list[str] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.url = self.wait_for("  http://").strip()
        self.wait_for("reloads on each save")

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def wait_for(self, text: str) -> str:
        """Returns the next line with `text`."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            line = self._lines.get(timeout=max(0.1, deadline - time.monotonic()))
            assert line is not None, "\n".join(["it ended:", *self.seen])
            self.seen.append(line)
            if text in line:
                return line

    def edit(self, old: str, new: str, file: str = "server.py") -> None:
        """Saves as editors do: a new file takes the place of the old one."""
        path = self.folder / file
        saved = path.with_name(f"{file}~")
        saved.write_text(path.read_text().replace(old, new))
        saved.replace(path)

    def call(self, tool: str, **arguments: object) -> str:
        with self.open(tool, **arguments) as response:
            return answer(response.read())

    def open(self, tool: str, **arguments: object) -> Any:
        params = {"name": tool, "arguments": arguments, "_meta": {"progressToken": 1}}
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        request = urllib.request.Request(self.url, json.dumps(call).encode(), headers)
        return urllib.request.urlopen(request, timeout=DEADLINE_S)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        try:
            return self.process.wait(timeout=DEADLINE_S)
        finally:
            self.process.kill()
            self._reader.join()
            assert self.process.stdout
            self.process.stdout.close()


def answer(body: bytes) -> str:
    messages = [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: {")]
    return str(next(message["result"] for message in messages if "result" in message)["content"][0]["text"])


Start = Callable[..., Dev]


@pytest.fixture
def start(platform: Platform, tiny: Deployment, tmp_path: Path) -> Iterator[Start]:
    """Returns `start(*arguments)`, which runs dev in a folder of its own, with the layer that is there already."""
    folder = tmp_path / "project"
    shutil.copytree(SERVERS / "mcp2_lowlevel", folder)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    running: list[Dev] = []

    def started(*arguments: str) -> Dev:
        command = [sys.executable, "-m", "platform_cli", "dev", str(folder), *arguments]
        running.append(Dev(folder, command, {**environment(platform, tmp_path), "TMPDIR": str(temporary)}))
        return running[-1]

    yield started
    for dev in running:
        if dev.process.returncode is None:
            dev.stop()
    assert list(temporary.iterdir()) == [], "nothing of a session stays behind"


def test_a_save_is_live_at_the_same_url_for_everyone(start: Start, tmp_path: Path) -> None:
    # Where it is deployed callers need a token with this scope.
    protected = '[auth]\nmode = "token"\n[scopes]\nwhoami = "people:read"\nwhere = "people:read"\n'
    (tmp_path / "project/fastmcp.toml").write_text(protected)
    dev = start("--env", "GREETING=hello")
    assert dev.call("whoami").endswith(" hello")
    dev.wait_for("tools/call whoami: ok")
    dev.edit('"whoami"', '"where"')
    line = dev.wait_for("+ where")
    assert line.startswith("reloaded in ")
    assert "server.py" in line
    assert "- whoami" in line
    poll(lambda: dev.call("where").endswith(" hello"))


def test_a_request_in_flight_finishes_with_the_old_code(start: Start) -> None:
    dev = start()
    with dev.open("slow", steps=3, token="save") as response:
        assert b"notifications/progress" in response.read1()
        dev.edit("{steps} steps", "{steps} new steps")
        dev.wait_for("reloaded in ")
        # For a moment after the switch the old worker may still take a connection.
        poll(lambda: dev.call("slow", steps=1) == "1 new steps")
        assert dev.call("release", token="save") == "released"
        assert answer(response.read()) == "3 steps"


@pytest.mark.parametrize(
    ("broken", "shown"),
    [("def (\n", "server.py:1:"), ("1 / 0\n", 'File "server.py", line 1'), ("raise SystemExit(3)\n", "exit 3")],
)
def test_a_broken_save_leaves_the_old_code_serving(start: Start, broken: str, shown: str) -> None:
    dev = start()
    code = dev.server.read_text()
    dev.server.write_text(broken + code)
    dev.wait_for(shown)
    dev.wait_for("waiting for the next save")
    assert dev.call("add", a=1, b=2) == "3"
    dev.server.write_text(code)
    dev.wait_for("back to what is being served")
    dev.server.write_text(code.replace('arguments["a"] +', '10 * arguments["a"] +'))
    dev.wait_for("reloaded in ")
    poll(lambda: dev.call("add", a=1, b=2) == "12")


def test_what_the_server_writes_stays_in_the_project_and_reloads_nothing(start: Start) -> None:
    dev = start()
    process = dev.call("whoami")
    assert dev.call("remember", text="milk") == "remembered"
    assert (dev.folder / "notes.txt").read_text() == "milk"
    (dev.folder / "expenses.db").write_bytes(b"\0")
    (dev.folder / "data.json").write_text("{}")
    # What counts comes after what does not, so that the reload it brings is the first.
    (dev.folder / "package").mkdir()
    (dev.folder / "package" / "module.py").write_text("x = 1\n")
    assert "package/module.py" in dev.wait_for("reloaded in ")
    (dev.folder / "package" / "module.py").write_text("x = 2\n")
    assert "package/module.py" in dev.wait_for("reloaded in ")
    assert dev.call("recall") == "milk"
    poll(lambda: dev.call("whoami") != process)
    assert sum("reloaded in" in line for line in dev.seen) == 2


def test_changed_requirements_are_installed(start: Start) -> None:
    dev = start()
    dev.edit("import asyncio\n", "import asyncio\nimport tomli\n")
    dev.wait_for("No module named 'tomli'")
    with (dev.folder / "requirements.txt").open("a") as file:
        file.write("\ntomli\n")
    line = dev.wait_for("reloaded in ")
    assert "requirements.txt" in line
    assert "server.py" in line


def test_a_server_that_dies_is_started_again(start: Start) -> None:
    dev = start()
    pid = int(dev.call("whoami").split()[0])
    os.kill(pid, signal.SIGKILL)
    dev.wait_for("the worker ended by itself (killed by SIGKILL)")
    # What was in its room ends a moment later, and may answer or cut off a call until then.
    poll(lambda: answered_by_another(dev, pid))


def answered_by_another(dev: Dev, pid: int) -> bool:
    with contextlib.suppress(OSError, http.client.HTTPException):
        return int(dev.call("whoami").split()[0]) != pid
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_end_leaves_no_process_behind(start: Start, number: signal.Signals) -> None:
    dev = start()
    pid = int(dev.call("whoami").split()[0])
    with dev.open("slow", steps=2, token="never") as response:
        assert b"notifications/progress" in response.read1()
        assert dev.stop(number) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", int(dev.url.rsplit(":", 1)[1].partition("/")[0])))


def test_a_taken_port_is_refused(run: Run, tiny: Deployment) -> None:
    port = tiny.url.rsplit(":", 1)[1]
    done = run("dev", str(SERVERS / "mcp2_lowlevel"), "--port", port)
    assert done.code == 1
    assert f"port {port} is taken by another program" in done.stderr
    assert "--port" in done.stderr


@pytest.mark.parametrize("arguments", [["none.py"], ["."], [".", "--port", "0"], [".", "--env", "X"]])
def test_wrong_input(run: Run, tmp_path: Path, arguments: list[str]) -> None:
    done = run("dev", *arguments, cwd=tmp_path)
    assert done.code == 2
    assert done.stderr.startswith("error: ")


def test_a_server_that_does_not_load_is_an_error(run: Run, tiny: Deployment, tmp_path: Path) -> None:
    shutil.copytree(SERVERS / "mcp2_lowlevel", tmp_path / "project")
    (tmp_path / "project" / "server.py").write_text("from mcp.server import Server\n1 / 0\n")
    done = run("dev", str(tmp_path / "project"))
    assert done.code == 1
    assert 'File "server.py", line 2' in done.stderr


def test_a_secret_needs_a_value(run: Run, tiny: Deployment, tmp_path: Path) -> None:
    shutil.copytree(SERVERS / "mcp2_lowlevel", tmp_path / "project")
    (tmp_path / "project" / "fastmcp.toml").write_text('[environment]\nAPI_KEY = "${secrets.KEY}"\n')
    done = run("dev", str(tmp_path / "project"))
    assert done.code == 2
    assert "--env API_KEY=" in done.stderr


def poll(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
