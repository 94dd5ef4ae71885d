"""Tests that a worker that takes too much fails by itself."""

from __future__ import annotations

from ..conftest import python_with
from ..workers import MCP2, Workers

SOURCE = MCP2 + (
    "import resource\n\n@mcp.tool()\ndef take(megabytes: int) -> int:\n"
    "    return len(bytearray(megabytes * 1024 * 1024))\n\n"
    "@mcp.tool()\ndef files() -> int:\n    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]\n"
)


def test_memory_and_open_files_are_bounded(workers: Workers) -> None:
    worker = workers.serve(SOURCE, python_with("mcp>=2"), manifest={"memory_mb": 600})
    assert worker.call("take", megabytes=50) == str(50 * 1024 * 1024)
    answer = worker.post(
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "take", "arguments": {"megabytes": 900}}}
    )
    assert answer["result"]["isError"]
    assert int(worker.call("files")) <= 8192
