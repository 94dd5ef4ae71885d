"""A server that loads fast, and looks at a platform from outside: what it answers, what runs, what lies about."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tests.support import ROOT, CommandFailedError, Platform

DEADLINE_S = 60.0
SERVER = """\
import os
from pathlib import Path

import mcp_types as types
from mcp.server import Server


async def list_tools(ctx, params):
    return types.ListToolsResult(tools=[types.Tool(name=n, input_schema={"type": "object"}) for n in TOOLS])


TOOLS = {
    "pid": lambda: str(os.getpid()),
    "environment": lambda: " ".join(sorted(os.environ)),
    "read": lambda path: Path(path).read_text(),
    "write": lambda path, text: str(Path(path).write_text(text)),
    "beside": lambda: str(Path(__file__).parent),
}


async def call_tool(ctx, params):
    text = TOOLS[params.name](**(params.arguments or {}))
    return types.CallToolResult(content=[types.TextContent(text=text)])


server = Server("NAME", version="VERSION", on_list_tools=list_tools, on_call_tool=call_tool)
"""
Found = TypeVar("Found")


def write_server(folder: Path, version: str, *, name: str = "tiny", extra: str = "", toml: str = "") -> Path:
    """A project folder; `extra` is code that runs when the server is imported."""
    folder.mkdir(exist_ok=True)
    (folder / "server.py").write_text(SERVER.replace("VERSION", version).replace("NAME", name) + extra)
    (folder / "requirements.txt").write_text("mcp>=2\n")
    (folder / "fastmcp.toml").write_text(toml)
    return folder


def post(url: str, method: str, params: dict[str, Any]) -> dict[str, Any]:
    """One JSON-RPC request on a connection of its own."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=DEADLINE_S)
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    try:
        connection.request("POST", "/mcp", body, headers)
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    lines = [line[5:] for line in text.splitlines() if line.startswith("data:") and line[5:].strip()] or [text]
    result: dict[str, Any] = json.loads(lines[-1])["result"]
    return result


def version_at(url: str) -> str:
    """The version of the server that answers at `url`."""
    client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    version: str = post(url, "initialize", client)["serverInfo"]["version"]
    return version


def call(url: str, tool: str, **arguments: str) -> str:
    text: str = post(url, "tools/call", {"name": tool, "arguments": arguments})["content"][0]["text"]
    return text


def wait_for(look: Callable[[], Found]) -> Found:
    """What `look` returns as soon as that is true; it may fail to connect until then."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            found = look()
        except (OSError, http.client.HTTPException):
            found = None
        if found:
            return found
        assert time.monotonic() < deadline, "the state did not come"
        time.sleep(0.02)


def failed(platform: Platform, *arguments: str) -> tuple[int, str, str, str]:
    """Exit code, category, message and hint of a command that has to fail."""
    try:
        answer = platform.run(*arguments)
    except CommandFailedError as error:
        return error.code, error.error["category"], error.error["message"], error.error["hint"] or ""
    raise AssertionError(f"it worked: {answer}")


def begin(platform: Platform, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """A command that runs beside the test."""
    return subprocess.Popen(
        [sys.executable, "-m", "platform_cli", *arguments, "--json"],
        cwd=ROOT,
        env={**platform.environment, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def processes(home: Path, mark: str = "") -> set[int]:
    """Those started over this home whose command line holds `mark`: zygotes, and workers, also forked ones."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(home) in command and mark in command and int(entry.name) != os.getpid():
            found.add(int(entry.name))
    return found


def leftovers(platform: Platform) -> list[str]:
    """Half-written state: what has a temporary name in the home, and scratch folders."""
    home = platform.home
    hidden = [path for name in ("bundles", "layers", "runtimes", "projects") for path in (home / name).glob(".*")]
    return [str(path) for path in (*hidden, *Path(platform.environment["TMPDIR"]).glob("homeport-*"))]


def new_platform(folder: Path) -> Platform:
    """A platform with a folder of its own for temporary files."""
    home, temporary = folder / "home", folder / "tmp"
    temporary.mkdir(parents=True)
    platform = Platform(home)
    platform.environment["TMPDIR"] = str(temporary)
    return platform
