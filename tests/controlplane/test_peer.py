"""Processes of a worker's session get no answer from the control plane's socket, whatever they see of its folder."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import uvicorn

from platform_cli.controlplane.peer import refuse_workers

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
            config = uvicorn.Config(app, http=refuse_workers(lambda: workers), lifespan="off", log_level="warning")
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            answers = [await ask(worker=w, child=c) for w, c in ((False, False), (True, False), (True, True))]
            server.should_exit = True
            await serving
        return answers

    assert asyncio.run(run()) == [0, 3, 3]
