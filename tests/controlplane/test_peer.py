"""Tests that processes of a worker's session get no answer from the control plane's socket, whatever they see of its
folder.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from platform_cli.controlplane.peer import refuse_workers

from ..support import ROOT, require

ASK = """
import socket, subprocess, sys
if sys.argv[2:]:
    sys.exit(subprocess.run([sys.executable, *sys.orig_argv[1:-1]]).returncode)
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
try:
    connection.sendall(b"GET / HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
    sys.exit(0 if connection.recv(100).startswith(b"HTTP/1.1 200") else 3)
except OSError:
    sys.exit(3)
"""


async def app(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def test_workers_are_refused(tmp_path: Path) -> None:
    workers: set[int] = set()

    async def ask(*, worker: bool, child: bool) -> int:
        command = [sys.executable, "-c", ASK, "s", *(["child"] if child else [])]
        # It waits for its turn on stdin, so that its process id is known before it connects.
        process = subprocess.Popen(
            ["/bin/sh", "-c", 'read go && exec "$@"', "sh", *command],
            stdin=subprocess.PIPE,
            start_new_session=True,
            cwd=tmp_path,
        )
        if worker:
            workers.add(process.pid)
        await asyncio.to_thread(process.communicate, b"go\n", 60)
        return process.returncode

    async def run() -> list[int]:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "s"))
            # Before uvicorn does so, since the first may ask before that.
            listener.listen()
            config = uvicorn.Config(app, http=refuse_workers(lambda: workers), lifespan="off", log_level="warning")
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            answers = [await ask(worker=w, child=c) for w, c in ((False, False), (True, False), (True, True))]
            server.should_exit = True
            await serving
        return answers

    assert asyncio.run(run()) == [0, 3, 3]


# A server's process that has left its session and its parent, or that uses a connection of one which has ended.
LEFT = """
import os, socket
from homeport_runtime.hosts.seccomp import confine_calls

confine_calls()
for _ in range(2):
    if os.fork():
        os._exit(0)
    os.setsid()
connection = socket.socket(socket.AF_UNIX)
connection.connect("s")
"""
INHERITED = """
import os, socket
from homeport_runtime.hosts.seccomp import confine_calls

confine_calls()
connection = socket.socket(socket.AF_UNIX)
if os.fork() == 0:
    connection.connect("s")
    os._exit(0)
os.wait()
"""
ASK_ON = """
os.mkdir("connected")
try:
    connection.sendall(b"GET / HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
    answer = connection.recv(12)
except OSError:
    answer = b""
with open("new", "wb") as file:
    file.write(answer)
os.rename("new", "answer")
"""


@pytest.mark.parametrize("way", [LEFT, INHERITED])
def test_a_process_that_left_its_worker_is_refused(tmp_path: Path, way: str) -> None:
    require(sys.platform == "linux", "Linux")

    async def until(path: Path) -> None:
        async with asyncio.timeout(60):
            while not path.exists():
                await asyncio.sleep(0.01)

    async def run() -> None:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "s"))
            listener.listen()
            environment = {**os.environ, "PYTHONPATH": str(ROOT / "runtime")}
            asking = await asyncio.create_subprocess_exec(
                sys.executable, "-c", way + ASK_ON, cwd=tmp_path, env=environment
            )
            await until(tmp_path / "connected")
            config = uvicorn.Config(app, http=refuse_workers(set), lifespan="off", log_level="warning")
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            await until(tmp_path / "answer")
            await asking.wait()
            server.should_exit = True
            await serving

    asyncio.run(run())
    assert (tmp_path / "answer").read_bytes() == b""
