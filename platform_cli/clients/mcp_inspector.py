"""Starts the MCP Inspector (https://github.com/modelcontextprotocol/inspector), connected to one server.

It is a program of npm's with a page of its own, and is neither kept here nor shown within another page.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from ..errors import InputError, ServerError
from ..interrupts import interrupt_later

# The version whose catalog and deep link are used below, and the Node.js that its package.json asks for.
INSPECTOR = "@modelcontextprotocol/inspector@2.12"
NODE = (22, 19)
HOST = "127.0.0.1"
# The server in the catalog that a deep link of 2.12 connects to, if its URL is the same.
SERVER = "deep-link"
POLL_S = 0.1
# The seconds that its processes have to end before they are killed.
END_S = 5.0
TOLD_LINES = 5


@dataclass(frozen=True, slots=True)
class Inspector:
    """Is an Inspector that runs: `link` opens its page connected, and lets whoever has it use the Inspector."""

    process: subprocess.Popen[bytes]
    link: str
    folder: Path

    def wait(self) -> None:
        """Waits until the Inspector ends by itself.

        Raises ServerError if it failed.
        """
        if self.process.wait() != 0:
            raise ServerError(f"the MCP Inspector has ended: {_told(self.folder)}", hint="start it again")


def find_npx() -> str:
    """Returns the path of npx.

    Raises InputError if that, or a Node.js that is new enough for the Inspector, is missing.
    """
    wanted = ".".join(map(str, NODE))
    hint = f"install Node.js {wanted} or newer, https://nodejs.org/en/download, then again"
    node, npx = shutil.which("node"), shutil.which("npx")
    if node is None or npx is None:
        missing = "node" if node is None else "npx"
        raise InputError(f"the MCP Inspector runs on Node.js, and there is no `{missing}` here", hint=hint)
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    found = re.fullmatch(r"v(\d+)\.(\d+)\..*", said)
    if found is None or (int(found[1]), int(found[2])) < NODE:
        raise InputError(f"the MCP Inspector needs Node.js {wanted}, and {node} is {said or 'broken'}", hint=hint)
    return npx


@contextmanager
def running_inspector(npx: str, url: str, headers: Mapping[str, str], folder: Path) -> Iterator[Inspector]:
    """Starts the Inspector on the server at `url` with the `headers` of every request, and ends it after the block.

    `folder` is for this user alone: the headers are in a file there, and in no argument and no variable. Raises
    ServerError if the Inspector cannot be fetched or does not start.
    """
    token = secrets.token_hex(32)
    with _free_ports(2) as (port, sandbox_port):
        catalog = folder / "catalog.json"
        transport = "sse" if urlsplit(url).path.endswith("/sse") else "streamable-http"
        server = {"type": transport, "url": url, "headers": dict(headers)}
        _write(catalog, json.dumps({"mcpServers": {SERVER: server}}))
    environment = {
        **os.environ,
        "MCP_INSPECTOR_API_TOKEN": token,
        "MCP_AUTO_OPEN_ENABLED": "false",
        "MCP_INSPECTOR_SECRET_STORE": "memory",
        "MCP_STORAGE_DIR": str(folder),
        "HOST": HOST,
        "CLIENT_PORT": str(port),
        "MCP_SANDBOX_PORT": str(sandbox_port),
    }
    page = f"http://{HOST}:{port}/"
    query = {"serverUrl": url, "transport": "sse" if transport == "sse" else "http", "autoConnect": token}
    with _log(folder).open("wb") as log, interrupt_later():
        process = subprocess.Popen(
            [npx, "--yes", INSPECTOR, "--web", "--catalog", str(catalog)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            # npx starts a child that outlives it: their group is what is ended.
            start_new_session=True,
        )
    try:
        _wait_for(page, process, folder)
        yield Inspector(process, f"{page}?{urlencode(query)}", folder)
    finally:
        _end(process)


def _wait_for(page: str, process: subprocess.Popen[bytes], folder: Path) -> None:
    """Waits until the page is there, for as long as npx fetches.

    Raises ServerError if the process ends before.
    """
    own = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while process.poll() is None:
        with contextlib.suppress(OSError, http.client.HTTPException), own.open(page, timeout=END_S):
            return
        time.sleep(POLL_S)
    told = _told(folder)
    is_npm = "npm error" in told
    hint = f"`npx --yes {INSPECTOR} --help` shows whether npm can fetch it" if is_npm else "start it again"
    what = "npx cannot fetch the MCP Inspector" if is_npm else "the MCP Inspector did not start"
    raise ServerError(f"{what}: {told}", hint=hint)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the whole process group, and what is left of it after some seconds by force."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(END_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _told(folder: Path) -> str:
    """Returns the end of what the processes have printed."""
    lines = [line.strip() for line in _log(folder).read_text(errors="replace").splitlines() if line.strip()]
    return "\n  ".join(lines[-TOLD_LINES:]) or "it said nothing"


def _log(folder: Path) -> Path:
    return folder / "inspector.log"


def _write(path: Path, text: str) -> None:
    """Writes a file that this user alone may read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


@contextmanager
def _free_ports(count: int) -> Iterator[list[int]]:
    """Yields ports that nobody listens on: the Inspector refuses port 0."""
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    try:
        yield [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
