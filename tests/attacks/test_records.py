"""Tests a server, and callers of it, that write into the log what should not be there."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from ..command_line import Command
from ..e2e.probing import DEADLINE_S, HEADERS, call, wait_for
from ..support import ROOT, Platform

SERVER = r"""
import os
import sys

import mcp_types as types
from mcp.server import Server

ODD = [
    b'\x1e{"time":"yesterday","level":"info","message":"of a JSON sequence (RFC 7464)"}',
    b'\x1e{"a":' + b"[" * 100_000,
    b'\x1e{"time":1,"level":{},"message":[],"call":7}',
    b'\x1e{"time":1e999,"level":"info","message":"x"}',
    b'\x1e{"time":2,"level":"info","message":"forged","project":"other","release":"v99"}',
    b'\x1e{"time":3,"level":"info","message":"\\ud800"}',
    b"\x1b[2J\x1b]0;owned\x07",
    b"x" * 3_000_000,
    b"\xff\xfe",
]


async def list_tools(ctx, params):
    shape = {"type": "object"}
    named = types.Tool(name="print", input_schema=shape, description="\x1b[31mred\nFAKE")
    return types.ListToolsResult(tools=[named, types.Tool(name="odd\x1b[2J\x9b", input_schema=shape)])


async def call_tool(ctx, params):
    if params.name == "print":
        for line in ODD:
            os.write(1, line + b"\n")
        os.write(1, b"the end\n")
    return types.CallToolResult(content=[types.TextContent(text="done")])


server = Server("printing", on_list_tools=list_tools, on_call_tool=call_tool)
"""
STEERING = ("\x1b", "\x9b", "\x07", "\x00", "\u202e")


@pytest.fixture(scope="module")
def said(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Returns what the commands print for people."""
    folder = tmp_path_factory.mktemp("printing")
    (folder / "server.py").write_text(SERVER)
    (folder / "requirements.txt").write_text("mcp>=2\n")
    deployed = show(platform, "deploy", str(folder), "--name", "printing")
    status = platform.run("status", "printing")
    call(status["url"], "print")
    ask(status["url"], "nope\x1b]0;owned\x07\n12:00:00 v9 error   FAKE: the database is gone\u202e")
    for _ in range(20):
        ask(status["url"], "n" * 3_900_000)
    wait_for(lambda: len([r for r in records(platform) if "call" in r]) == 22)
    return {
        "deploy": deployed,
        "logs": show(platform, "logs", "printing"),
        "tools": show(platform, "tools", "printing"),
        "deployments": show(platform, "deployments", "printing"),
    }


def show(platform: Platform, *arguments: str) -> str:
    done = Command(arguments, cwd=ROOT, env=platform.environment).wait(DEADLINE_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


def records(platform: Platform) -> list[dict[str, Any]]:
    return [json.loads(line) for line in show(platform, "logs", "printing", "--json").splitlines()]


def ask(url: str, tool: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(url).port, timeout=DEADLINE_S)
    try:
        meta = {"io.modelcontextprotocol/clientInfo": {"name": "evil\x1b[31m", "version": "\n1"}}
        params = {"name": tool, "arguments": {}, "_meta": meta}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        connection.request("POST", "/mcp", json.dumps(message), HEADERS)
        connection.getresponse().read()
    finally:
        connection.close()


def test_nothing_steers_a_terminal(said: dict[str, str]) -> None:
    for command, text in said.items():
        assert not [each for each in STEERING if each in text], command
    assert r"nope\x1b]0;owned\x07\n12:00:00" in said["logs"]
    assert r"odd\x1b[2J\x9b" in said["deploy"]
    assert r"odd\x1b[2J\x9b" in said["tools"]


def test_nobody_begins_a_line_in_a_table_or_a_log(said: dict[str, str]) -> None:
    for command in ("logs", "tools", "deployments"):
        assert not [line for line in said[command].splitlines() if line.startswith(("FAKE", "12:00:00 v9"))], command


def test_every_record_is_of_its_own_project_and_release(platform: Platform, said: dict[str, str]) -> None:
    found = records(platform)
    assert {record["release"] for record in found} == {"v1"}
    assert {record["project"] for record in found} == {"printing"}
    forged = [record["message"] for record in found]
    assert '{"time":"yesterday","level":"info","message":"of a JSON sequence (RFC 7464)"}' in forged
    assert "forged" in forged
    assert "the end" in forged


def test_long_names_push_nothing_out(platform: Platform, said: dict[str, str]) -> None:
    folder = platform.home / "projects" / "printing" / "logs"
    assert sum(file.stat().st_size for file in folder.iterdir()) < 1_000_000
    assert all(len(json.dumps(record)) < 1000 for record in records(platform) if "call" in record)


def test_what_is_filtered_can_be_shown(platform: Platform, said: dict[str, str]) -> None:
    for options in (["--since", "1h"], ["--level", "error"], ["--grep", "end"], ["--release", "v1"], ["--json"]):
        show(platform, "logs", "printing", *options)
