"""Tests that what a program serves when it is run by hand is what a worker serves, in every SDK generation."""

from __future__ import annotations

from typing import Any

import pytest

from ..conftest import python_with
from ..workers import Workers

FASTMCP = "from fastmcp import FastMCP\nmcp = FastMCP('tested')\n"
FASTMCP1 = "from mcp.server.fastmcp import FastMCP\nmcp = FastMCP('tested', stateless_http=True)\n"
MCP2 = "from mcp.server import MCPServer\nmcp = MCPServer('tested')\n"
# Without main() there is no tool: an import alone does not make one.
MAIN = """
import asyncio

def register():
    @mcp.tool()
    def late() -> str:
        return "late"

def main():
    register()
    RUN

if __name__ == "__main__":
    main()
"""
LOWLEVEL1 = """
import asyncio
from mcp.server import Server
from mcp.server.stdio import stdio_server
from mcp.types import TextContent, Tool

async def serve():
    server = Server("tested")

    @server.list_tools()
    async def list_tools():
        return [Tool(name="late", inputSchema={"type": "object"})]

    @server.call_tool()
    async def call_tool(name, arguments):
        return [TextContent(type="text", text="late")]

    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())

asyncio.run(serve())
"""
LOWLEVEL2 = """
import asyncio
from mcp.server import Server
from mcp.server.stdio import stdio_server
from mcp.types import CallToolResult, ListToolsResult, TextContent, Tool

async def list_tools(context, params):
    return ListToolsResult(tools=[Tool(name="late", input_schema={"type": "object"})])

async def call_tool(context, params):
    return CallToolResult(content=[TextContent(type="text", text="late")])

async def serve():
    server = Server("tested", on_list_tools=list_tools, on_call_tool=call_tool)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())

asyncio.run(serve())
"""


# One way of each generation; `make test-all` has the others.
RUNS = [
    ("fastmcp>=4", FASTMCP, "mcp.run()"),
    ("fastmcp>=4", FASTMCP, "asyncio.run(mcp.run_async(transport='sse'))"),
    ("fastmcp>=4", FASTMCP, "import uvicorn; uvicorn.run(mcp.http_app(stateless_http=True), port=1)"),
    ("fastmcp<4", FASTMCP, "asyncio.run(mcp.run_http_async(port=1))"),
    ("fastmcp<3", FASTMCP, "mcp.run(transport='sse')"),
    ("mcp<2", FASTMCP1, "asyncio.run(mcp.run_sse_async())"),
    ("mcp<2", FASTMCP1, "import uvicorn as u; asyncio.run(u.Server(u.Config(mcp.streamable_http_app())).serve())"),
    ("mcp>=2", MCP2, "mcp.run(transport='streamable-http', port=1)"),
]
OTHER_RUNS = [
    ("fastmcp>=4", FASTMCP, "mcp.run(transport='http', host='127.0.0.1', port=1)"),
    ("fastmcp<4", FASTMCP, "mcp.run()"),
    ("fastmcp<3", FASTMCP, "mcp.run()"),
    ("fastmcp<3", FASTMCP, "asyncio.run(mcp.run_http_async(port=1))"),
    ("mcp<2", FASTMCP1, "mcp.run()"),
    ("mcp<2", FASTMCP1, "mcp.run(transport='streamable-http')"),
    ("mcp>=2", MCP2, "mcp.run()"),
    ("mcp>=2", MCP2, "asyncio.run(mcp.run_stdio_async())"),
]


@pytest.mark.parametrize(
    ("requirement", "start", "run"), [*RUNS, *(pytest.param(*run, marks=pytest.mark.whole) for run in OTHER_RUNS)]
)
def test_a_server_that_runs_itself(workers: Workers, requirement: str, start: str, run: str) -> None:
    worker = workers.serve({"server.py": start + MAIN.replace("RUN", run)}, python_with(requirement))
    assert worker.call("late") == "late"


@pytest.mark.parametrize(("requirement", "source"), [("mcp<2", LOWLEVEL1), ("mcp>=2", LOWLEVEL2)])
def test_a_lowlevel_server_made_in_a_function(workers: Workers, requirement: str, source: str) -> None:
    assert workers.serve({"server.py": source}, python_with(requirement)).call("late") == "late"


PACKAGE = {
    "src/tiny/__init__.py": "def main():\n    from .server import mcp\n    mcp.run()\n",
    "src/tiny/__main__.py": "from . import main\n\nmain()\n",
    "src/tiny/server.py": f"import sys\n{MCP2}\n@mcp.tool()\ndef args() -> str:\n    return ' '.join(sys.argv[1:])\n",
}


@pytest.mark.parametrize("function", ["main", None])
def test_a_package_is_run_with_its_arguments(workers: Workers, function: str | None) -> None:
    program = {"module": "tiny", "function": function, "name": "tiny" if function else ""}
    options = {"program": program, "args": ["--root", "here"], "roots": ["src"]}
    worker = workers.serve(PACKAGE, python_with("mcp>=2"), manifest=options)
    assert worker.call("args") == "--root here"


def inspected(workers: Workers, source: str, requirement: str = "mcp>=2") -> dict[str, Any]:
    return workers.start(source, python_with(requirement), mode="inspect").event()


def test_it_is_said_what_was_chosen(workers: Workers) -> None:
    tool = "\n@mcp.tool()\ndef one() -> int:\n    return 1\n"
    assert inspected(workers, MCP2 + tool + "mcp.run()\n")["chosen"] == "what server.py runs"
    assert inspected(workers, MCP2 + tool)["chosen"] == "mcp of server.py, as server.py runs nothing"


def test_what_is_open_around_run_is_open_while_it_serves(workers: Workers) -> None:
    """It is closed behind it, on the program's own loop."""
    source = """
import asyncio, contextlib
from pathlib import Path

state = []

@mcp.tool()
def look() -> str:
    return ",".join(state)

@contextlib.asynccontextmanager
async def opened():
    state.append("open")
    yield
    Path("closed").write_text("closed")

async def main():
    async with opened():
        await mcp.run_stdio_async()

asyncio.run(main())
"""
    worker = workers.serve(MCP2 + source, python_with("mcp>=2"))
    assert worker.call("look") == "open"
    worker.tell(do="close")
    worker.expect("stopped")
    assert worker.process.wait(20) == 0
    assert (worker.folder / "work" / "closed").read_text() == "closed"


@pytest.mark.parametrize(("transport", "path"), [("http", "/mcp"), ("sse", "/sse")])
def test_the_options_of_run_are_kept(workers: Workers, transport: str, path: str) -> None:
    """A guard in Starlette's middleware that is given to run() is asked on both transports, also where it goes by the
    path.
    """
    source = """
from starlette.middleware import Middleware
from starlette.responses import JSONResponse

class Key:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and scope["path"] == "PATH" and dict(scope["headers"]).get(b"x-key") != b"k":
            await JSONResponse({}, status_code=401)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

@mcp.tool()
def one() -> int:
    return 1

mcp.run(transport="TRANSPORT", middleware=[Middleware(Key)], json_response=True)
"""
    source = source.replace("PATH", path).replace("TRANSPORT", transport)
    worker = workers.serve(FASTMCP + source, python_with("fastmcp>=4"), tools=[])
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "one", "arguments": {}}}
    with worker.request("POST", "/mcp", call) as refused:
        assert refused.status == 401
    with worker.request("POST", "/mcp", call, {"x-key": "k"}) as reply:
        assert (reply.status, reply.header("content-type")) == (200, "application/json")
    with worker.request("GET", "/sse", headers={"accept": "text/event-stream"}) as refused:
        assert refused.status == 401
    with worker.request("GET", "/sse", headers={"accept": "text/event-stream", "x-key": "k"}) as stream:
        messages = stream.event()[1]
        for headers, told in (({}, "HTTP 401"), ({"x-key": "k"}, '"text":"1"')):
            with worker.request("POST", messages, call, headers) as accepted:
                assert accepted.status == 202
            assert told in stream.event()[1]


def test_what_a_lowlevel_program_says_of_itself_is_what_is_said(workers: Workers) -> None:
    options = 'InitializationOptions(server_name="clock", server_version="7.1", capabilities=caps)'
    source = LOWLEVEL1.replace(
        "from mcp.server import Server",
        "from mcp.server import NotificationOptions, Server\nfrom mcp.server.models import InitializationOptions",
    )
    source = source.replace(
        "        await server.run(read, write, server.create_initialization_options())",
        "        caps = server.get_capabilities(NotificationOptions(), {})\n"
        f"        await server.run(read, write, {options})",
    )
    contract = inspected(workers, source, "mcp<2")["contract"]
    assert (contract["name"], contract["version"]) == ("clock", "7.1")


# A server without any SDK: it reads its stdin, which in a worker is empty.
OWN_WORDS = """
import json, sys

for line in sys.stdin:
    message = json.loads(line)
    if message.get("method") == "initialize":
        result = {"protocolVersion": message["params"]["protocolVersion"], "capabilities": {"tools": {}},
                  "serverInfo": {"name": "plain", "version": "1"}}
    elif message.get("method") == "tools/list":
        result = {"tools": [{"name": "one", "inputSchema": {"type": "object"}}]}
    elif "id" in message:
        result = {"content": [{"type": "text", "text": "1"}]}
    else:
        continue
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"""


def test_a_program_that_speaks_for_itself_is_bridged(workers: Workers) -> None:
    found = inspected(workers, OWN_WORDS)
    assert (found["kind"], found["chosen"]) == ("stdio", "server.py, over stdio")
    assert workers.serve(OWN_WORDS, python_with("mcp>=2")).call("one") == "1"


def test_a_program_that_reads_the_sdks_streams_itself_is_bridged(workers: Workers) -> None:
    source = """
import asyncio
from mcp.server.models import InitializationOptions
from mcp.server.session import ServerSession
from mcp.server.stdio import stdio_server
from mcp.types import ServerCapabilities

async def main():
    options = InitializationOptions(server_name="own", server_version="1", capabilities=ServerCapabilities())
    async with stdio_server() as (read, write), ServerSession(read, write, options) as session:
        async for _message in session.incoming_messages:
            pass

asyncio.run(main())
"""
    found = inspected(workers, source, "mcp<2")
    assert (found["kind"], found["contract"]["name"]) == ("stdio", "own")


def test_a_program_finds_a_pipe_where_a_client_would_speak_to_it(workers: Workers) -> None:
    check = "import os, stat, sys\nif not stat.S_ISFIFO(os.fstat(0).st_mode):\n    sys.exit('run docker with -i')\n"
    tool = "\n@mcp.tool()\ndef heard() -> str:\n    return repr(sys.stdin.read())\n"
    worker = workers.serve(check + MCP2 + tool + "mcp.run()\n", python_with("mcp>=2"))
    assert worker.call("heard") == "''"


def test_a_program_that_becomes_another_one_is_bridged(workers: Workers) -> None:
    source = f"import os, sys\nos.execvp(sys.executable, [sys.executable, '-c', {OWN_WORDS!r}])\n"
    found = inspected(workers, source)
    assert (found["kind"], found["contract"]["name"]) == ("stdio", "plain")
    assert workers.serve(source, python_with("mcp>=2")).call("one") == "1"


def test_a_program_that_ends_its_process_at_once_is_bridged(workers: Workers) -> None:
    source = f"import os\n{OWN_WORDS}\nos._exit(0)\n"
    assert inspected(workers, source)["kind"] == "stdio"
    assert workers.serve(source, python_with("mcp>=2")).call("one") == "1"


def test_a_program_that_serves_nothing_says_so(workers: Workers) -> None:
    found = inspected(workers, "print('done')\n")
    assert found["event"] == "failed"
    assert found["message"].startswith("server.py has no MCP server, and over stdio:")


def test_what_the_program_raises_before_it_serves_is_shown(workers: Workers) -> None:
    found = inspected(workers, "def main():\n    raise ValueError('no key')\nmain()\n")
    assert found["message"] == "server.py raised ValueError: no key before it served"
    assert "line 2, in main" in found["trace"]


def test_what_goes_wrong_while_it_starts_is_not_the_programs_to_swallow(workers: Workers) -> None:
    lifespan = (
        "from contextlib import asynccontextmanager\n@asynccontextmanager\nasync def lifespan(server):\n"
        "    raise ConnectionError('no database')\n    yield\n"
    )
    source = lifespan + MCP2.replace("'tested'", "'tested', lifespan=lifespan")
    found = inspected(workers, source + "try:\n    mcp.run()\nexcept Exception:\n    pass\n")
    assert (found["event"], "no database" in found["message"]) == ("failed", True)


def test_a_page_in_a_thread_is_not_the_server(workers: Workers) -> None:
    source = """
import threading, uvicorn
from starlette.applications import Starlette

@mcp.tool()
def one() -> int:
    return 1

page = uvicorn.Server(uvicorn.Config(Starlette(), port=0, log_level="warning"))
threading.Thread(target=page.run, daemon=True).start()
mcp.run()
"""
    assert workers.serve(MCP2 + source, python_with("mcp>=2")).call("one") == "1"
