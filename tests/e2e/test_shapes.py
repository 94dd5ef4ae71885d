"""Tests how a server is written down in its file: every shape is found, and two candidates without a choice are
refused.
"""

from __future__ import annotations

import json
import urllib.request

import pytest

from tests.support import SERVERS, CommandFailedError, Platform

SHAPES = SERVERS / "shapes"


def add(mcp_url: str) -> str:
    """Returns the answer of add(2, 3), asked in one request as protocol 2025-11-25 allows without a session."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "add", "arguments": {"a": 2, "b": 3}}}
    headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    request = urllib.request.Request(mcp_url, json.dumps(call).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        lines = response.read().decode().splitlines()
    message = next(json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {"))
    return str(message["result"]["content"][0]["text"])


@pytest.mark.parametrize(
    "entry",
    [
        "only_one.py",
        "async_factory.py:create",
        *(
            pytest.param(entry, marks=pytest.mark.whole)
            for entry in ("named_server.py", "named_app.py", "two_servers.py:second", "factory.py:create")
        ),
    ],
)
def test_a_server_is_found(platform: Platform, entry: str) -> None:
    deployment = platform.deploy(f"{SHAPES / entry}", name=entry.partition(".")[0].replace("_", "-"))
    assert add(deployment.mcp_url) == "5"


def test_two_candidates_are_refused_with_their_names(platform: Platform) -> None:
    with pytest.raises(CommandFailedError) as failed:
        platform.deploy(SHAPES / "two_servers.py", name="undecided")
    error = failed.value.error
    assert "first" in error["message"] + error["hint"]
    assert "second" in error["message"] + error["hint"]
    with pytest.raises(CommandFailedError) as unknown:
        platform.run("status", "undecided")
    assert unknown.value.code == 4
