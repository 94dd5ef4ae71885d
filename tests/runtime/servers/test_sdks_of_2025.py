"""Tests servers with the SDKs that projects of 2025 have locked, with the packages of their time beside them."""

from __future__ import annotations

import json
import subprocess

import pytest

from ..conftest import JSON, ROOT, call, message, python_with
from ..workers import Worker, Workers

# What each was the first, or the last, to do is in its comment.
# Newer ones do not forgive what the SDKs of the time did with their streams.
OF_2025 = ("anyio==4.9.0", "uvicorn==0.34.3")
SDKS = {
    # No streamable HTTP; initialize, then one request after the other.
    "mcp 1.2": ("mcp==1.2.1", *OF_2025, "pydantic==2.10.6", "sse-starlette==2.2.1", "starlette==0.45.3"),
    # No streamable HTTP; settings that later ones have are not there.
    "mcp 1.6": ("mcp==1.6.0", *OF_2025, "pydantic==2.11.7", "sse-starlette==2.2.1", "starlette==0.46.2"),
    # Mounted at /mcp/; /mcp is a redirect.
    "mcp 1.9": ("mcp==1.9.4", *OF_2025, "pydantic==2.11.7", "sse-starlette==2.3.6", "starlette==0.47.0"),
    "mcp 1.10": ("mcp==1.10.1", *OF_2025, "pydantic==2.11.7", "sse-starlette==2.3.6", "starlette==0.47.1"),
    # Refuses a protocol version that it does not know.
    "mcp 1.12": ("mcp==1.12.4", *OF_2025, "pydantic==2.11.7", "sse-starlette==2.4.1", "starlette==0.47.2"),
    "mcp 1.21": ("mcp==1.21.0", "pydantic==2.12.4", "sse-starlette==3.0.3", "starlette==0.50.0"),
    # No http_app.
    "fastmcp 2.2": (
        "fastmcp==2.2.0",
        "mcp==1.6.0",
        *OF_2025,
        "pydantic==2.11.7",
        "sse-starlette==2.2.1",
        "starlette==0.46.2",
    ),
    # Sessions are a setting.
    "fastmcp 2.5": (
        "fastmcp==2.5.2",
        "mcp==1.9.2",
        *OF_2025,
        "pydantic==2.11.7",
        "sse-starlette==2.3.5",
        "starlette==0.46.2",
    ),
    "fastmcp 2.10": (
        "fastmcp==2.10.6",
        "mcp==1.12.0",
        *OF_2025,
        "pydantic==2.11.7",
        "sse-starlette==2.4.1",
        "starlette==0.47.2",
    ),
    "fastmcp 2.12": ("fastmcp==2.12.4", "mcp==1.16.0", "pydantic==2.11.9", "sse-starlette==3.0.2", "starlette==0.48.0"),
}
# The oldest, the one that is strict with versions, and one of fastmcp; `make test-all` has all of them.
ALWAYS = ("mcp 1.2", "mcp 1.12", "fastmcp 2.5")
EACH = [pytest.param(sdk, marks=() if sdk in ALWAYS else pytest.mark.whole) for sdk in SDKS]
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}

HIGH_LEVEL = """
from {module} import Context, FastMCP

mcp = FastMCP("older")

@mcp.tool()
async def add(a: int, b: int, ctx: Context) -> str:
    await ctx.report_progress(1, 2)
    return str(a + b)

@mcp.resource("config://app")
def config() -> str:
    return "theme = dark"
"""
LOW_LEVEL = """
from mcp import types
from mcp.server import Server

server = Server("older")

@server.list_tools()
async def list_tools():
    return [types.Tool(name="add", inputSchema={"type": "object"})]

@server.call_tool()
async def call_tool(name, arguments):
    return [types.TextContent(type="text", text=str(arguments["a"] + arguments["b"]))]

@server.list_resources()
async def list_resources():
    return [types.Resource(uri="config://app", name="config")]
"""


def source_of(sdk: str) -> str:
    return HIGH_LEVEL.format(module="fastmcp" if sdk.startswith("fastmcp") else "mcp.server.fastmcp")


@pytest.mark.parametrize("level", ["high", "low"])
@pytest.mark.parametrize("sdk", EACH)
def test_it_answers_on_both_transports(workers: Workers, sdk: str, level: str) -> None:
    python = python_with(*SDKS[sdk])
    worker = workers.serve(source_of(sdk) if level == "high" else LOW_LEVEL, python)
    for path in ("/mcp", "/mcp/"):
        with worker.request("POST", path, message("initialize", HELLO)) as reply:
            assert (reply.status, reply.rpc()["result"]["serverInfo"]["name"]) == (200, "older")
        with worker.request("POST", path, call("add", a=2, b=3)) as reply:
            assert reply.rpc()["result"]["content"][0]["text"] == "5"
    assert modern(worker)["result"]["content"][0]["text"] == "5"
    assert list_over_sse(worker) == ["add"]
    assert [resource["uri"] for resource in worker.post(message("resources/list", {}))["result"]["resources"]] == [
        "config://app"
    ]


@pytest.mark.parametrize("level", ["high", "low"])
@pytest.mark.parametrize("sdk", EACH)
def test_an_inspection_reads_all_that_it_offers(workers: Workers, sdk: str, level: str) -> None:
    """Requests that name another protocol version than the one agreed on are refused by mcp 1.12 to 1.23."""
    worker = workers.start(source_of(sdk) if level == "high" else LOW_LEVEL, python_with(*SDKS[sdk]), mode="inspect")
    contract = worker.expect("inspected")["contract"]
    assert "problems" not in contract
    assert [tool["name"] for tool in contract["tools"]] == ["add"]
    assert [resource["uri"] for resource in contract["resources"]] == ["config://app"]


@pytest.mark.parametrize("sdk", EACH)
def test_it_keeps_sessions(workers: Workers, sdk: str) -> None:
    worker = workers.serve(source_of(sdk), python_with(*SDKS[sdk]), manifest={"sessions": True})
    with worker.request("POST", "/mcp", message("initialize", HELLO)) as reply:
        session = {"mcp-session-id": reply.header("mcp-session-id")}
        assert session["mcp-session-id"]
        reply.rpc()
    with worker.request("POST", "/mcp", {"jsonrpc": "2.0", "method": "notifications/initialized"}, session) as reply:
        assert reply.status == 202
    assert worker.call("add", session, a=2, b=3) == "5"


@pytest.mark.parametrize("sdk", ["mcp 1.2", "mcp 1.6", "fastmcp 2.2"])
def test_what_is_said_during_a_call_reaches_its_caller(workers: Workers, sdk: str) -> None:
    worker = workers.serve(source_of(sdk), python_with(*SDKS[sdk]))
    with worker.request("POST", "/mcp", call("add", token="t", a=2, b=3)) as reply:
        assert reply.next()["params"]["progressToken"] == "t"
        assert reply.next()["result"]["content"][0]["text"] == "5"
    assert worker.post(message("no/such"))["error"]
    assert worker.post(message("tools/call", {"name": 7}))["error"]


def modern(worker: Worker) -> JSON:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "add"}
    return worker.post(message("tools/call", {"name": "add", "arguments": {"a": 2, "b": 3}, "_meta": meta}), headers)


def list_over_sse(worker: Worker) -> list[str]:
    initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    with worker.request("GET", "/sse", headers={"accept": "text/event-stream"}) as stream:
        path = stream.event()[1]
        for body in (message("initialize", HELLO, 0), initialized, message("tools/list", {})):
            with worker.request("POST", path, body) as reply:
                assert reply.status == 202
        stream.next()
        return [tool["name"] for tool in stream.next()["result"]["tools"]]


BROKEN = LOW_LEVEL.replace(
    'Server("older")', 'Server("older", lifespan=broken)'
).replace("\nserver", """
from contextlib import asynccontextmanager

@asynccontextmanager
async def broken(_server):
    raise ValueError("no database")
    yield

server""", 1)  # fmt: skip


def test_an_older_server_that_does_not_start_says_why(workers: Workers) -> None:
    worker = workers.start(BROKEN, python_with(*SDKS["mcp 1.6"]), mode="inspect")
    failed = worker.event()
    assert failed["event"] == "failed"
    assert "ValueError: no database" in failed["hint"]


AUTH = """
from fastmcp import FastMCP

mcp = FastMCP("older")
# As the releases that have auth and no streamable HTTP app keep it.
mcp._auth_server_provider = object()
"""


def test_auth_that_would_be_lost_is_refused(workers: Workers) -> None:
    worker = workers.start(AUTH, python_with(*SDKS["fastmcp 2.2"]), mode="inspect")
    failed = worker.event()
    assert (failed["event"], "has auth" in failed["message"], "fastmcp>=2.5" in failed["hint"]) == (
        "failed",
        True,
        True,
    )


REHEARSED = """
import asyncio
import mcp.server.fastmcp as sdk
from homeport_runtime.app import App
from homeport_runtime.guard.names import Names
from homeport_runtime.hosts.rehearsal import rehearse
from homeport_runtime.servers import adapt
from homeport_runtime.servers.base import ServeOptions

assert rehearse()

async def serve():
    app = App(adapt(sdk.FastMCP("second"), ServeOptions()), Names(()), sessions=None)
    async with app.lifespan():
        print((await app.warm_up())["name"])

asyncio.run(asyncio.wait_for(serve(), 30))
"""


@pytest.mark.parametrize("sdk", ["mcp 1.9", "mcp 1.10", "mcp 1.12"])
def test_a_zygote_that_has_rehearsed_leaves_no_event_of_its_loop(sdk: str) -> None:
    """sse-starlette 1 and 2 keep it in a class variable."""
    ran = subprocess.run(
        [python_with(*SDKS[sdk]), "-W", "ignore", "-c", REHEARSED],
        env={"PYTHONPATH": str(ROOT / "runtime")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.split() == ["second"], ran.stderr


JSON_ANSWERS = """
from mcp.server.fastmcp import FastMCP

mcp = FastMCP("json", json_response=True, streamable_http_path="/api/tools")

@mcp.tool()
def add(a: int, b: int) -> str:
    return str(a + b)
"""


def test_a_servers_own_choices_are_kept(workers: Workers) -> None:
    worker = workers.serve(JSON_ANSWERS, python_with("mcp<2"))
    for path in ("/mcp", "/api/tools", "/api/tools/"):
        with worker.request("POST", path, call("add", a=2, b=3)) as reply:
            assert (reply.status, reply.header("content-type")) == (200, "application/json")
            assert json.loads(reply.raw.read())["result"]["content"][0]["text"] == "5"
