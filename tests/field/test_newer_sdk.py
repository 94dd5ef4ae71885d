"""Tests an SDK that is newer than all that homeport was tried with: a package that says so, and little else."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeport_runtime.libraries.tried import TRIED
from tests.field.conftest import written
from tests.support import CommandFailedError, Platform

NEWER = {
    "requirements.txt": "./sdk\n",
    "sdk/pyproject.toml": """
        [project]
        name = "mcp"
        version = "99.0"

        [build-system]
        requires = ["setuptools"]
        build-backend = "setuptools.build_meta"
    """,
    "sdk/mcp/__init__.py": "",
}
# A server that needs nothing of its SDK.
SERVER = """
    import json, sys

    for line in sys.stdin:
        message = json.loads(line)
        if message.get("method") == "initialize":
            result = {"protocolVersion": message["params"]["protocolVersion"], "capabilities": {"tools": {}},
                      "serverInfo": {"name": "newer", "version": "1"}}
        elif message.get("method") == "tools/list":
            result = {"tools": [{"name": "one", "inputSchema": {"type": "object"}}]}
        elif "id" in message:
            result = {}
        else:
            continue
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"""
TOLD = f"has been tried with mcp up to {'.'.join(TRIED['mcp'][1].split('.')[:2])}; this is 99.0"


def test_it_is_noted_where_the_server_works(platform: Platform, tmp_path: Path) -> None:
    folder = written(tmp_path, {**NEWER, "server.py": SERVER})
    answer = platform.run("deploy", str(folder), "--name", "newer-sdk")
    told = [finding for finding in answer["findings"] if finding["kind"] == "untried-sdk"]
    assert [TOLD in finding["text"] for finding in told] == [True]
    assert "upgrade homeport" in told[0]["hint"]
    platform.run("destroy", "newer-sdk")


def test_it_is_the_reason_that_is_given_where_it_does_not(platform: Platform, tmp_path: Path) -> None:
    folder = written(tmp_path, {**NEWER, "server.py": "from mcp.server import MCPServer\n"})
    with pytest.raises(CommandFailedError) as failed:
        platform.run("deploy", str(folder), "--name", "broken-sdk")
    assert TOLD in failed.value.error["message"]
