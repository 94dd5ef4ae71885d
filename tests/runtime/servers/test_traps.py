"""Tests what the SDKs do when they are served bare, and must not do here. Each test fails without its fix."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ..conftest import JSON, call, message, python_with, wait_for
from ..workers import MCP2, REQUIREMENTS, Worker, Workers

pytestmark = pytest.mark.whole

KINDS = tuple(REQUIREMENTS)
OWN = "tools.example.com"

# In each kind, a lifespan that says when it is entered, and a tool `entered` that tells how often.
LIFESPAN = """
from contextlib import asynccontextmanager

entered_times = 0

@asynccontextmanager
async def lifespan(_server):
    global entered_times
    entered_times += 1
    yield {"times": entered_times}
"""
TOOL = """

@mcp.tool()
def entered() -> str:
    return str(entered_times)
"""
LOWLEVEL1 = """
import mcp.types as types
from mcp.server import Server

server = Server("tested", lifespan=lifespan)

@server.list_tools()
async def list_tools():
    return [types.Tool(name="entered", inputSchema={"type": "object"})]

@server.call_tool()
async def call_tool(name, arguments):
    return [types.TextContent(type="text", text=answer())]

def answer():
    return str(entered_times)
"""
LOWLEVEL2 = """
import mcp_types as types
from mcp.server import Server

listed = 0

async def list_tools(ctx, params):
    global listed
    listed += 1
    return types.ListToolsResult(tools=[types.Tool(name="entered", input_schema={"type": "object", "properties":
        {"a": {"type": "integer"}}})])

async def call_tool(ctx, params):
    return types.CallToolResult(content=[types.TextContent(type="text", text=answer())])

def answer():
    return str(entered_times)

server = Server("tested", lifespan=lifespan, on_list_tools=list_tools, on_call_tool=call_tool)
"""
LIFESPANS = {
    **{
        f"fastmcp{n}": f"{LIFESPAN}from fastmcp import FastMCP\nmcp = FastMCP('x', lifespan=lifespan){TOOL}"
        for n in "234"
    },
    "mcp1_fastmcp": f"{LIFESPAN}from mcp.server.fastmcp import FastMCP\nmcp = FastMCP('x', lifespan=lifespan){TOOL}",
    "mcp2_mcpserver": f"{LIFESPAN}from mcp.server import MCPServer\nmcp = MCPServer('x', lifespan=lifespan){TOOL}",
    "mcp1_lowlevel": LIFESPAN + LOWLEVEL1,
    "mcp2_lowlevel": LIFESPAN + LOWLEVEL2,
}

MODERN_META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
}


def modern_call(worker: Worker, tool: str, more: JSON | None = None, **arguments: Any) -> JSON:
    """Returns a tools/call of protocol 2026-07-28."""
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": tool}
    params = {"name": tool, "arguments": arguments, "_meta": MODERN_META, **(more or {})}
    return worker.post(message("tools/call", params), headers)


@pytest.fixture(scope="module", params=KINDS)
def worker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    workers = Workers(lambda: tmp_path_factory.mktemp("worker"))
    yield workers.kind(request.param, names=[OWN])
    workers.close()


def test_the_deployments_own_name_is_served_and_no_other(worker: Worker) -> None:
    """The SDKs' check knows localhost only and answers 421 to every real name."""
    body = call("add", a=1, b=2)
    with worker.request("POST", "/mcp", body, {"host": OWN, "origin": f"https://{OWN}"}) as reply:
        assert reply.status == 200
        assert reply.rpc()["result"]["content"][0]["text"] == "3"
    with worker.request("POST", "/mcp", body, {"host": "evil.example"}) as reply:
        assert reply.status == 421
    with worker.request("POST", "/mcp", body, {"host": OWN, "origin": "https://evil.example"}) as reply:
        assert reply.status == 403
    with worker.request("GET", "/sse", headers={"host": OWN, "accept": "text/event-stream"}) as reply:
        assert reply.status == 200
        assert reply.event()[0] == "endpoint"


@pytest.mark.parametrize("served", ["mcp.run()", "app = mcp.http_app(stateless_http=True)"])
def test_a_check_of_names_that_a_fastmcp_program_turns_on_is_left_to_the_guard(workers: Workers, served: str) -> None:
    source = f"""
import fastmcp

fastmcp.settings.http_host_origin_protection = "auto"
mcp = fastmcp.FastMCP("x")
mcp.tool(name="one")(lambda: "1")
{served}
"""
    worker = workers.serve(source, python_with(REQUIREMENTS["fastmcp4"]), names=[OWN])
    with worker.request("POST", "/mcp", call("one"), {"host": OWN, "origin": f"https://{OWN}"}) as reply:
        assert reply.status == 200


def test_both_forms_of_the_path_are_served_without_redirect(worker: Worker) -> None:
    for path in ("/mcp", "/mcp/"):
        with worker.request("POST", path, call("add", a=1, b=2)) as reply:
            assert reply.status == 200
            assert reply.rpc()["result"]["content"][0]["text"] == "3"


@pytest.fixture(scope="module", params=LIFESPANS)
def living(request: pytest.FixtureRequest, workers: Workers) -> Worker:
    """Returns a worker of each kind whose server counts how often its lifespan is entered."""
    return workers.serve(LIFESPANS[request.param], python_with(REQUIREMENTS[request.param]))


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_there_is_no_stream_to_wait_on_without_sessions(living: Worker, method: str) -> None:
    """GET /mcp opens a stream in mcp 1 and 2 on which nothing is ever sent."""
    for path in ("/mcp", "/mcp/"):
        with living.request(method, path, headers={"accept": "text/event-stream"}) as reply:
            assert (reply.status, reply.header("allow")) == (405, "POST")


def test_other_paths_are_not_the_server(living: Worker) -> None:
    """The session manager under a low-level server answers on whatever path it is given."""
    for method, body in (("POST", message("ping")), ("GET", None)):
        with living.request(method, "/elsewhere", body) as reply:
            assert reply.status in (404, 405)


def test_the_lifespan_is_entered_once(living: Worker) -> None:
    """mcp 1 enters it for each request without sessions, mcp 2 for each HTTP+SSE connection."""
    check_entered_once(living, sessions=False)


@pytest.mark.parametrize("kind", LIFESPANS)
def test_the_lifespan_is_entered_once_for_all_sessions(workers: Workers, kind: str) -> None:
    manifest = {"sessions": True}
    check_entered_once(
        workers.serve(LIFESPANS[kind], python_with(REQUIREMENTS[kind]), manifest=manifest), sessions=True
    )


def check_entered_once(worker: Worker, *, sessions: bool) -> None:
    headers: JSON = {}
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    for number in range(2):
        with worker.request("POST", "/mcp", message("initialize", hello)) as reply:
            assert reply.status == 200
            headers = {"mcp-session-id": reply.header("mcp-session-id")} if sessions else {}
        with worker.request("GET", "/sse", headers={"accept": "text/event-stream"}) as stream:
            path = stream.event()[1]
            initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
            for body in (message("initialize", hello, 0), initialized, call("entered", request_id=1)):
                with worker.request("POST", path, body) as reply:
                    assert reply.status == 202
            answers = {stream.next()["id"]: None for _ in range(2)}
            assert set(answers) == {0, 1}, number
        worker.post({"jsonrpc": "2.0", "id": 5, "method": "ping"}, headers)
        assert worker.call("entered", headers) == "1"
    assert modern_call(worker, "entered")["result"]["content"][0]["text"] == "1"


FIRST_CALL = """
import json, sys

def answer():
    loaded = list(sys.modules)
    # Loaded by the worker right before it says that it is ready.
    return json.dumps(loaded[loaded.index("uvicorn.lifespan.off") + 1:])
"""


@pytest.mark.parametrize("modern", [False, pytest.param(True, marks=pytest.mark.whole)])
@pytest.mark.parametrize("kind", LIFESPANS)
def test_the_first_call_imports_nothing(workers: Workers, kind: str, modern: bool) -> None:
    source = LIFESPANS[kind].replace("return str(entered_times)", "return answer()") + FIRST_CALL
    worker = workers.serve(source, python_with(REQUIREMENTS[kind]))
    for _ in ("first", "second"):
        text = modern_call(worker, "entered")["result"]["content"][0]["text"] if modern else worker.call("entered")
        assert json.loads(text) == []


MIDDLEWARE = """
from fastmcp import FastMCP
from fastmcp.server.middleware import Middleware

seen = []

class Seen(Middleware):
    async def on_request(self, context, call_next):
        seen.append(context.method)
        return await call_next(context)

mcp = FastMCP("tested", middleware=[Seen()])

@mcp.tool()
def methods(a: int) -> str:
    return " ".join(seen)
"""


def test_a_call_does_not_list_the_tools_first(workers: Workers) -> None:
    """fastmcp 4 and the low-level server of mcp 2 run a whole tools/list before each tools/call."""
    worker = workers.serve(MIDDLEWARE, python_with("fastmcp>=4"))
    before = modern_call(worker, "methods", a=1)["result"]["content"][0]["text"].split()
    after = modern_call(worker, "methods", a=1)["result"]["content"][0]["text"].split()
    assert before[-1] == "tools/call"
    assert after == [*before, "tools/call"]

    source = LIFESPANS["mcp2_lowlevel"].replace("return str(entered_times)", "return str(listed)")
    worker = workers.serve(source, python_with("mcp>=2"))
    first = modern_call(worker, "entered", a=1)["result"]["content"][0]["text"]
    assert modern_call(worker, "entered", a=1)["result"]["content"][0]["text"] == first


ASKS = """
from typing import Annotated
from mcp.server.mcpserver import Elicit, ElicitationResult, Resolve
from pydantic import BaseModel

class Name(BaseModel):
    name: str

async def ask() -> Elicit[Name]:
    return Elicit("Who is it?", Name)

@mcp.tool()
async def greet(name: Annotated[ElicitationResult[Name], Resolve(ask)]) -> str:
    return f"hello {name.data.name}"
"""


def test_an_answer_may_reach_another_worker_of_the_project(workers: Workers) -> None:
    """mcp 2 seals requestState with a key of the process, so that a second worker refuses the client's retry."""
    python = python_with("mcp>=2")
    first, second, stranger = (workers.serve(MCP2 + ASKS, python, state_key=key * 32) for key in ("ab", "ab", "cd"))
    asked = modern_call(first, "greet")["result"]
    assert asked["resultType"] == "input_required", asked
    question = next(iter(asked["inputRequests"]))
    answers = {question: {"action": "accept", "content": {"name": "Ada"}}}
    retry = {"requestState": asked["requestState"], "inputResponses": answers}
    assert modern_call(second, "greet", retry)["result"]["content"][0]["text"] == "hello Ada"
    assert modern_call(stranger, "greet", retry)["error"]["code"] == -32602


MOUNTED = """
import contextlib
from mcp.server import MCPServer
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

tools = MCPServer("mounted")

@tools.tool()
def add(a: int, b: int) -> int:
    return a + b

inner = tools.streamable_http_app(streamable_http_path="/", stateless_http=True)

@contextlib.asynccontextmanager
async def lifespan(app):
    async with tools.session_manager.run():
        yield

async def page(request):
    return PlainTextResponse("a page")

app = Starlette(routes=[Mount("/mcp", inner), Route("/page", page)], lifespan=lifespan)
"""


def test_a_server_mounted_in_an_app_is_found(workers: Workers) -> None:
    """Starlette redirects /mcp to /mcp/ and knows nothing at the shorter path."""
    worker = workers.serve(MOUNTED, python_with("mcp>=2"), names=[OWN], manifest={"object": "app"})
    for path in ("/mcp", "/mcp/"):
        with worker.request("POST", path, call("add", a=1, b=2), {"host": OWN}) as reply:
            assert reply.status == 200
            assert reply.rpc()["result"]["content"][0]["text"] == "3"
    with worker.request("GET", "/page") as reply:
        assert reply.raw.read() == b"a page"
    wait_for(lambda: worker.calls(2))
