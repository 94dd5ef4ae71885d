"""Tests a worker's life, as the supervisor sees it over the control channel."""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path

import pytest

from ..conftest import DEADLINE_S, call, message, python_with, wait_for
from ..workers import MCP2, Worker, Workers, kind_source

TOOLS = '''
import os, sys, threading, time
from pathlib import Path

@mcp.tool()
def wait(name: str) -> str:
    """Waits for a file, in a thread that cannot be stopped."""
    Path(f"{name}.started").touch()
    while not Path(name).exists():
        time.sleep(0.01)
    return "waited"

@mcp.tool()
def environment() -> dict[str, str]:
    return dict(os.environ)
'''


def python() -> str:
    return python_with("mcp>=2")


def test_an_inspection_reports_and_ends(workers: Workers) -> None:
    worker = workers.start(kind_source("mcp2_mcpserver"), python(), mode="inspect")
    report = worker.expect("inspected")
    assert (report["kind"], report["object"]) == ("mcp2-mcpserver", "mcp")
    contract = report["contract"]
    assert contract["name"] == "mcp2_mcpserver"
    assert {"add", "slow", "fail"} <= {tool["name"] for tool in contract["tools"]}
    assert [prompt["name"] for prompt in contract["prompts"]] == ["greet"]
    assert [resource["uri"] for resource in contract["resources"]] == ["config://app"]
    assert [template["uriTemplate"] for template in contract["resourceTemplates"]] == ["item://{id}"]
    assert {"mcp.server", "pydantic"} <= set(report["modules"])
    assert not [name for name in report["modules"] if name == "server" or name.startswith("homeport_runtime")]
    assert "mcp" in {entry["package"] for entry in report["packages"]}
    assert report["seconds"] > 0
    assert worker.process.wait(DEADLINE_S) == 0


def test_modules_that_an_import_hook_leaves_as_they_are_can_be_loaded_without_it(workers: Workers) -> None:
    modules = workers.start(kind_source("fastmcp4"), python_with("fastmcp>=4"), mode="inspect").expect("inspected")[
        "modules"
    ]
    assert {"beartype.claw", "key_value.aio", "key_value.aio.stores.memory"} <= set(modules)


def test_it_accepts_only_when_told(workers: Workers) -> None:
    worker = workers.start(MCP2 + TOOLS, python())
    worker.expect("ready")
    with socket.create_connection(("127.0.0.1", worker.port)) as waiting:
        waiting.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        waiting.settimeout(0.3)
        with pytest.raises(TimeoutError):
            waiting.recv(1)
        worker.tell(do="accept")
        worker.expect("accepting")
        waiting.settimeout(DEADLINE_S)
        assert waiting.recv(12) == b"HTTP/1.1 200"


def test_a_draining_worker_finishes_and_leaves_the_rest_to_the_next(workers: Workers) -> None:
    listener = workers.listen()
    old = workers.serve(MCP2 + TOOLS, python(), listener=listener)
    work = old.folder / "work"
    answers: list[object] = []
    caller = threading.Thread(target=lambda: answers.append(old.call("wait", name="go")))
    caller.start()
    wait_for((work / "go.started").exists)
    with socket.create_connection(("127.0.0.1", old.port)) as kept:
        kept.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        first = b""
        while not first.endswith(b'{"status":"ok"}'):
            first += kept.recv(4096)
        assert b"connection: close" not in first
        old.tell(do="close")
        # On its way when the worker was told: it is answered before its connection is closed.
        kept.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        last = b"".join(iter(lambda: kept.recv(4096), b""))
        assert last.startswith(b"HTTP/1.1 200")
    with socket.create_connection(("127.0.0.1", old.port)) as later:
        later.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        (work / "go").touch()
        caller.join(DEADLINE_S)
        assert answers == ["waited"]
        assert old.process.wait(DEADLINE_S) == 0
        workers.serve(MCP2 + TOOLS, python(), listener=listener)
        assert later.recv(12) == b"HTTP/1.1 200"


@pytest.mark.parametrize("busy", [False, True])
def test_it_does_not_outlive_its_supervisor(workers: Workers, busy: bool) -> None:
    source = MCP2 + TOOLS + "threading.Thread(target=time.sleep, args=(3600,)).start()\n"
    worker = workers.serve(source, python())
    if busy:
        caller = socket.create_connection(("127.0.0.1", worker.port))
        body = json.dumps(call("wait", name="never")).encode()
        head = f"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        head += "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\r\n"
        caller.sendall(head.encode() + body)
        wait_for((worker.folder / "work" / "never.started").exists)
        caller.close()
    worker.control.shutdown(socket.SHUT_RDWR)
    worker.process.wait(DEADLINE_S)


def failure(worker: Worker) -> dict[str, str]:
    answer = worker.expect("failed")
    assert worker.process.wait(DEADLINE_S) == 1
    return {key: str(answer[key]) for key in ("message", "hint", "trace")}


@pytest.mark.parametrize(
    ("source", "message", "line"),
    [
        ("import os\nos.environ['API_KEY']\n", "server.py raised KeyError: 'API_KEY'", "line 2"),
        ("raise SystemExit('no key')\n", "server.py ended before it served: no key", "line 1"),
        ("def mcp():\n    raise ValueError('no luck')\n", "ValueError: no luck", "line 2"),
        ("def mcp():\n    raise SystemExit(3)\n", "SystemExit: 3", "line 2"),
        ("def mcp():\n    return 1\n", "returned a int", ""),
        (
            "from contextlib import asynccontextmanager\nfrom mcp.server import MCPServer\n\n@asynccontextmanager\n"
            "async def lifespan(server):\n    raise ConnectionError('no database')\n    yield\n\n"
            "mcp = MCPServer('x', lifespan=lifespan)\n",
            "ConnectionError: no database",
            "line 6",
        ),
    ],
)
@pytest.mark.parametrize("mode", ["inspect", pytest.param("serve", marks=pytest.mark.whole)])
def test_a_server_that_cannot_start_says_why(workers: Workers, mode: str, source: str, message: str, line: str) -> None:
    answer = failure(workers.start(source, python(), mode=mode))
    assert message in answer["message"]
    assert answer["hint"]
    assert line in answer["trace"]
    assert "homeport_runtime" not in answer["trace"]
    assert "site-packages" not in answer["trace"]


def test_a_start_that_takes_too_long_says_where_it_waits(workers: Workers) -> None:
    source = "import time\n\ntime.sleep(3600)\n"
    answer = failure(workers.start(source, python(), manifest={"start_timeout_s": 0.5}))
    assert "within 0.5 s; it waits in server.py, line 3" in answer["message"]
    assert answer["hint"].startswith("do slow work on the first call")


def test_an_installed_program_that_takes_too_long_has_a_hint_that_fits_it(workers: Workers) -> None:
    program = {"module": "timeit", "function": None, "name": "timeit"}
    arguments = ["-n", "1", "import time; time.sleep(3600)"]
    answer = failure(
        workers.start({}, python(), manifest={"program": program, "args": arguments, "start_timeout_s": 0.5})
    )
    assert 'command = "uvx PACKAGE"' in answer["hint"]


def test_a_program_that_says_nothing_is_told_what_it_has_to_speak(workers: Workers) -> None:
    program = {"start_timeout_s": 0.5, "command": ["sleep", "3600"]}
    answer = failure(workers.start("", python(), manifest=program))
    assert "within 0.5 s" in answer["message"]
    assert "stdin and stdout" in answer["hint"]


def test_it_says_when_nobody_asks(workers: Workers) -> None:
    worker = workers.serve(MCP2 + TOOLS, python(), idle_s=0.1)
    worker.expect("idle")
    worker.post(message("ping"))
    worker.expect("idle")


def test_its_environment_is_what_the_job_says(workers: Workers) -> None:
    worker = workers.serve(MCP2 + TOOLS, python(), environment={"GREETING": "hello", "SECRET": "s3"})
    seen = json.loads(worker.call("environment"))
    assert seen.items() >= {"GREETING": "hello", "SECRET": "s3"}.items()
    assert "NO_COLOR" not in seen


CHILDREN = """
import subprocess, sys, time

@mcp.tool()
def run(words: list[str]) -> str:
    words = [sys.executable if word == "this" else word for word in words]
    done = subprocess.run(words, capture_output=True, text=True)
    return (done.stdout + done.stderr).strip()

@mcp.tool()
def zone() -> str:
    return time.strftime("%z")
"""


def test_programs_that_it_starts_find_the_packages_and_the_project(workers: Workers) -> None:
    source = {
        "server.py": MCP2 + CHILDREN,
        "src/ours.py": "print('ours')\n",
        "rooted/inner.py": "print('inner')\n",
        "vendor/theirs.py": "print('theirs')\n",
    }
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": "vendor"}
    worker = workers.serve(source, python(), environment=environment, manifest={"roots": ["rooted"]})
    for module in ("ours", "inner", "theirs"):
        assert worker.call("run", words=["this", "-m", module]) == module
        assert worker.call("run", words=["python", "-c", f"import {module}"]) == module
    assert worker.call("run", words=["this", "-c", "import mcp; print(mcp.__name__)"]) == "mcp"


def test_its_own_entries_on_pythonpath_are_on_its_path(workers: Workers, tmp_path: Path) -> None:
    (tmp_path / "absolute.py").write_text("NAME = 'absolute'\n")
    source = {"server.py": "import absolute, theirs\n" + MCP2 + TOOLS, "vendor/theirs.py": ""}
    worker = workers.serve(source, python(), environment={"PYTHONPATH": f"vendor{os.pathsep}{tmp_path}"})
    assert json.loads(worker.call("environment"))["PYTHONPATH"].startswith(str(worker.folder / "work" / "vendor"))


def test_its_time_zone_is_its_own(workers: Workers) -> None:
    assert workers.serve(MCP2 + CHILDREN, python(), environment={"TZ": "Asia/Tokyo"}).call("zone") == "+0900"
