"""Tests that the record of an operation that failed says of what kind the failure is, whatever SDK the server has."""

from __future__ import annotations

from typing import Any

import pytest

from homeport_runtime.guard.kinds import kind_of

from ..conftest import JSON, call, message, python_with, wait_for
from ..workers import REQUIREMENTS, Worker, Workers

FASTMCP = """
from fastmcp import FastMCP
from fastmcp.exceptions import ToolError

mcp = FastMCP("kinds")
"""
MCP1 = """
from mcp.server.fastmcp import FastMCP
from mcp.server.fastmcp.exceptions import ToolError

mcp = FastMCP("kinds")
"""
MCP2 = """
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

mcp = MCPServer("kinds")
"""
TOOLS = """
@mcp.tool()
def add(a: int) -> int:
    return a

@mcp.tool()
def crash() -> str:
    return {}["no such key"]

@mcp.tool()
def tell() -> str:
    raise ToolError("not today")

@mcp.prompt()
def greet() -> str:
    raise RuntimeError("no greeting")

@mcp.resource("data://broken")
def broken() -> str:
    raise RuntimeError("no data")
"""
SOURCES = {
    "fastmcp2": FASTMCP, "fastmcp3": FASTMCP, "fastmcp4": FASTMCP, "mcp1_fastmcp": MCP1, "mcp2_mcpserver": MCP2,
}  # fmt: skip
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def operations_of(worker: Worker, method: str) -> list[JSON]:
    found: list[JSON] = wait_for(
        lambda: [r["operation"] for r in worker.records() if r.get("operation", {}).get("method") == method]
    )
    return found


@pytest.mark.parametrize("kind", [*SOURCES])
def test_a_failure_has_its_kind(workers: Workers, kind: str) -> None:
    worker = workers.serve(SOURCES[kind] + TOOLS, python_with(REQUIREMENTS[kind]), operations=True)
    kinds: dict[str, Any] = {}
    for asked in (call("add", a=1), call("add", a="x"), call("crash"), call("tell"), call("nope")):
        before = sum("call" in record for record in worker.records())
        worker.post(asked)
        record = worker.calls(before + 1)[-1]
        kinds[f"{record['tool']} {asked['params']['arguments']}"] = record.get("kind")
    assert kinds == {
        "add {'a': 1}": None,
        "add {'a': 'x'}": "arguments",
        "crash {}": "exception",
        "tell {}": "tool",
        "nope {}": "unknown",
    }
    worker.post(message("prompts/get", {"name": "greet"}))
    worker.post(message("resources/read", {"uri": "data://broken"}))
    worker.post(message("resources/read", {"uri": "data://nowhere"}))
    (prompt,) = operations_of(worker, "prompts/get")
    assert (prompt["name"], prompt["status"], prompt["kind"]) == ("greet", "error", "exception")
    wait_for(lambda: len(operations_of(worker, "resources/read")) == 2)
    read = operations_of(worker, "resources/read")
    assert [(each["kind"], each["name"]) for each in read] == [("exception", None), ("unknown", None)]


def test_what_a_record_has_beside(workers: Workers) -> None:
    worker = workers.serve(MCP2 + TOOLS, python_with(REQUIREMENTS["mcp2_mcpserver"]), operations=True)
    meta = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    asked = message("tools/call", {"name": "add", "arguments": {"a": 1}, "_meta": meta})
    worker.post(asked, {"mcp-protocol-version": "2025-06-18"})
    (record,) = worker.calls()
    assert (record["trace"], record["parent"]) == (TRACE, "00f067aa0ba902b7")
    assert record["protocol"] == "2025-06-18"
    assert record["bytes_in"] > 100
    assert record["bytes_out"] > 50
    worker.post(message("tools/list", {}))
    (listed,) = operations_of(worker, "tools/list")
    assert (listed["status"], listed["bytes_out"] > 100) == ("ok", True)
    worker.post(message("no/such/method" + "x" * 10_000, {}))
    (other,) = operations_of(worker, "_OTHER")
    assert (other["kind"], other["code"]) == ("unknown", -32601)
    worker.post(call("add", a=1), {"host": "evil.example"})
    refused = wait_for(lambda: [each for each in operations_of(worker, "_OTHER") if each["kind"] == "refused"])
    assert refused[0]["status"] == "error"


def test_a_failure_of_which_nobody_knows_more_is_read_from_its_answer() -> None:
    error = {"error": {"code": -32603, "message": ""}}
    assert kind_of("r", "add", error, None, None) == "protocol"
    assert kind_of("r", "add", {"result": {"isError": True}}, {"add"}, None) == "tool"
    assert kind_of("r", "nope", {"result": {"isError": True}}, {"add"}, None) == "unknown"
    assert kind_of("r", [["no name"]], error, {"add"}, None) == "unknown"
    assert kind_of("r", None, {"error": {"code": -32601, "message": ""}}, None, None) == "unknown"
    assert kind_of("r", "add", error, {"add"}, "timeout") == "timeout"
    assert kind_of("r", "add", None, {"add"}, None) == "protocol"
