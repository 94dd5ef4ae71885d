"""Tests a server that writes to its worker's control channel what no worker says."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

import pytest

from ..e2e.probing import DEADLINE_S, call, wait_for, workers
from ..support import Deployment, Platform

# Of a worker's sockets the control channel alone is one of Unix and blocks.
SERVER = """
import asyncio
import os
import socket
import threading

import mcp_types as types
from mcp.server import Server


def control():
    for number in map(int, os.listdir("/dev/fd")):
        try:
            one = socket.socket(fileno=os.dup(number))
        except OSError:
            continue
        if one.family == socket.AF_UNIX and os.get_blocking(number):
            return one


def say(text):
    control().sendall(text.encode())


def flood():
    channel = control()
    while True:
        channel.sendall(b'{"event":"load","open":1}\\n{"event":[]}\\n' * 1000)


async def list_tools(ctx, params):
    shape = {"type": "object", "properties": {"text": {"type": "string"}}}
    return types.ListToolsResult(tools=[types.Tool(name=name, input_schema=shape) for name in ("say", "flood", "end")])


async def call_tool(ctx, params):
    if params.name == "end":
        os._exit(7)
    if params.name == "say":
        await asyncio.to_thread(say, params.arguments["text"])
    if params.name == "flood":
        threading.Thread(target=flood, daemon=True).start()
    return types.CallToolResult(content=[types.TextContent(text=str(os.getpid()))])


server = Server("loud", on_list_tools=list_tools, on_call_tool=call_tool)
"""
IDLE = "[scaling]\nidle_s = 1\n"
ODD = [
    "\n",
    "null\n",
    "[]\n",
    "no JSON\n",
    "{}\n",
    '{"event":1}\n',
    '{"event":["idle"]}\n',
    '{"event":"load"}\n',
    '{"event":"load","open":"many"}\n',
    '{"event":"load","open":-1}\n',
    '{"event":"relay","number":{},"query":[],"headers":1,"body":null}\n',
    '{"event":"relayed","number":[],"taken":{}}\n',
    '{"event":"failed"}\n',
    '{"event":"failed","message":["x"],"hint":{},"trace":3}\n',
    '{"event":"ready"}\n' * 1000,
    '{"event":"inspected","contract":[]}\n',
    '{"event":"unheard of"}\n',
    "[" * 1_000_000 + "\n",
    '{"event":"load","open":' + "9" * 10_000 + "}\n",
    "\x00\ufffd\u2028\n",
]


@pytest.fixture(scope="module")
def loud(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    folder = tmp_path_factory.mktemp("loud")
    (folder / "server.py").write_text(SERVER)
    (folder / "requirements.txt").write_text("mcp>=2\n")
    (folder / "fastmcp.toml").write_text(IDLE)
    return platform.deploy(folder, name="loud")


def check_heard(platform: Platform) -> None:
    """Waits until the platform has acted on what a worker says: this worker says that it is idle, and may go."""
    wait_for(lambda: platform.api.status("loud")["state"] == "idle" and not workers(platform))


def test_what_no_worker_says_is_not_heard(platform: Platform, loud: Deployment) -> None:
    call(loud.url, "say", text="\n")
    before = workers(platform)
    for text in ODD:
        call(loud.url, "say", text=text)
        assert workers(platform) == before, f"a worker ended for {text[:80]!r}"
    check_heard(platform)


def test_one_that_never_ends_its_line_is_heard_behind_it(platform: Platform, loud: Deployment) -> None:
    for _ in range(10):
        call(loud.url, "say", text="x" * 3_000_000)
    call(loud.url, "say", text="\n")
    check_heard(platform)


def test_others_are_served_in_a_flood(platform: Platform, loud: Deployment, tmp_path: Path) -> None:
    call(loud.url, "flood")
    (tmp_path / "server.py").write_text(SERVER)
    (tmp_path / "requirements.txt").write_text("mcp>=2\n")
    other = platform.deploy(tmp_path, name="other")
    assert call(other.url, "say", text="\n")
    assert platform.run("status", "loud")["state"] == "running"
    # A redeploy ends it.
    with (tmp_path / "server.py").open("a") as file:
        file.write("# quiet\n")
    platform.deploy(tmp_path, name="loud")
    assert call(loud.url, "say", text="\n")


def test_a_call_that_ends_its_worker_has_a_record(platform: Platform, loud: Deployment) -> None:
    with pytest.raises((OSError, http.client.HTTPException)):
        call(loud.url, "end")

    def found() -> list[dict[str, Any]]:
        lines = platform.start("logs", "loud", "--grep", "tools/call end").wait(DEADLINE_S).stdout.splitlines()
        return [json.loads(line) for line in lines]

    (record,) = wait_for(found)
    assert record["message"] == "tools/call end: error, its worker ended (exit 7)"
    assert (record["level"], record["call"]["tool"], record["call"]["status"]) == ("error", "end", "error")
    assert not (platform.home / "projects" / "loud" / "calls").exists()
