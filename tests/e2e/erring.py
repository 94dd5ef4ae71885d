"""Holds a server of each kind whose tools, resources and prompts crash, and what asks them in each way."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any

from .probing import HEADERS, connect

SERVER = """
import logging
import os

{imports}

logging.disable(logging.CRITICAL)


def find(table, key):
    return table[key]


{tools}
"""
TOOLS = """
mcp = FastMCP("erring")


@mcp.tool()
def boom(key: int) -> str:
    return find({}, f"no {key}")


@mcp.tool()
def told() -> str:
    raise ToolError("not today")


@mcp.tool()
def end(how: str) -> str:
    if how == "exit":
        os._exit(3)
    os.kill(os.getpid(), 9)


@mcp.resource("config://app")
def config() -> str:
    return find({}, "config")


@mcp.prompt()
def greet() -> str:
    return find({}, "greeting")
"""
RUN = """

mcp.run()
"""
LOWLEVEL1 = """
server = Server("erring")


@server.list_tools()
async def list_tools():
    shape = {"type": "object", "properties": {"key": {"type": "integer"}}, "required": ["key"]}
    return [types.Tool(name=name, inputSchema=shape if name == "boom" else {"type": "object"})
            for name in ("boom", "told", "end")]


@server.call_tool()
async def call_tool(name, arguments):
    if name == "boom":
        return find({}, f"no {arguments['key']}")
    if name == "told":
        raise McpError(types.ErrorData(code=-32000, message="not today"))
    if name == "end":
        os._exit(3)
    raise ValueError(f"no tool {name}")


@server.list_resources()
async def list_resources():
    return [types.Resource(uri="config://app", name="config")]


@server.read_resource()
async def read_resource(uri):
    return find({}, "config")


@server.list_prompts()
async def list_prompts():
    return [types.Prompt(name="greet")]


@server.get_prompt()
async def get_prompt(name, arguments):
    return find({}, "greeting")
"""
LOWLEVEL2 = """
async def list_tools(ctx, params):
    shape = {"type": "object", "properties": {"key": {"type": "integer"}}, "required": ["key"]}
    return types.ListToolsResult(tools=[
        types.Tool(name=name, input_schema=shape if name == "boom" else {"type": "object"})
        for name in ("boom", "told", "end")
    ])


async def call_tool(ctx, params):
    if params.name == "boom":
        return find({}, f"no {params.arguments['key']}")
    if params.name == "told":
        raise MCPError(code=-32000, message="not today")
    if params.name == "end":
        os._exit(3)
    raise ValueError(f"no tool {params.name}")


async def list_resources(ctx, params):
    return types.ListResourcesResult(resources=[types.Resource(uri="config://app", name="config")])


async def read_resource(ctx, params):
    return find({}, "config")


async def list_prompts(ctx, params):
    return types.ListPromptsResult(prompts=[types.Prompt(name="greet")])


async def get_prompt(ctx, params):
    return find({}, "greeting")


server = Server("erring", on_list_tools=list_tools, on_call_tool=call_tool, on_list_resources=list_resources,
                on_read_resource=read_resource, on_list_prompts=list_prompts, on_get_prompt=get_prompt)
"""
APP = """

from starlette.applications import Starlette
from starlette.routing import Mount

inner = mcp.streamable_http_app(stateless_http=True)
app = Starlette(routes=[Mount("/", inner)], lifespan=inner.router.lifespan_context)
"""
FASTMCP = "from fastmcp import FastMCP\nfrom fastmcp.exceptions import ToolError"
MCP1 = "from mcp.server.fastmcp import FastMCP\nfrom mcp.server.fastmcp.exceptions import ToolError"
MCP2 = "from mcp.server import MCPServer as FastMCP\nfrom mcp.server.mcpserver.exceptions import ToolError"
LOW1 = "from mcp import McpError, types\nfrom mcp.server import Server"
LOW2 = "import mcp_types as types\nfrom mcp import MCPError\nfrom mcp.server import Server"
# Each kind by its folder in tests/servers, which has the same requirements: imports, and what follows them.
KINDS: Mapping[str, tuple[str, str]] = {
    "fastmcp2": (FASTMCP, TOOLS + RUN),
    "fastmcp3": (FASTMCP, TOOLS + RUN),
    "fastmcp4": (FASTMCP, TOOLS + RUN),
    "mcp1_fastmcp": (MCP1, TOOLS + RUN),
    "mcp1_lowlevel": (LOW1, LOWLEVEL1),
    "mcp2_mcpserver": (MCP2, TOOLS + RUN),
    "mcp2_lowlevel": (LOW2, LOWLEVEL2),
    "asgi": (MCP2, TOOLS + APP),
}
MODERN = "2026-07-28"
KEY = "io.modelcontextprotocol"


def source(kind: str) -> str:
    imports, tools = KINDS[kind]
    return SERVER.format(imports=imports, tools=tools)


def ask(url: str, method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Returns the response to a request of the handshake era on /mcp."""
    return _post(url, method, params, {})


def ask_modern(url: str, method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Returns the response to a request of protocol 2026-07-28 on /mcp."""
    meta = {
        f"{KEY}/protocolVersion": MODERN,
        f"{KEY}/clientCapabilities": {},
        f"{KEY}/clientInfo": {"name": "test", "version": "1"},
    }
    headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": method, "Mcp-Name": params.get("name") or params["uri"]}
    return _post(url, method, {**params, "_meta": meta}, headers)


def _post(url: str, method: str, params: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    connection = connect(url)
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    try:
        connection.request("POST", "/mcp", json.dumps(message), HEADERS | headers)
        body = connection.getresponse().read().decode()
    finally:
        connection.close()
    lines = [line[5:] for line in body.splitlines() if line.startswith("data:")] or [body]
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


def ask_on_stream(url: str, method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Returns the response to a request over HTTP+SSE."""
    connection = connect(url)
    try:
        connection.request("GET", "/sse", headers={"Accept": "text/event-stream"})
        stream = connection.getresponse()
        path = _data(stream)
        about = {"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        _send(url, path, {"id": 1, "method": "initialize", "params": about})
        _data(stream)
        _send(url, path, {"method": "notifications/initialized"})
        _send(url, path, {"id": 2, "method": method, "params": params})
        answer: dict[str, Any] = json.loads(_data(stream))
        return answer
    finally:
        connection.close()


def _data(stream: http.client.HTTPResponse) -> str:
    while not (line := stream.readline()).startswith(b"data:"):
        assert line, "the stream has ended"
    return line[5:].decode().strip()


def _send(url: str, path: str, message: dict[str, Any]) -> None:
    connection = connect(url)
    try:
        connection.request("POST", path, json.dumps({"jsonrpc": "2.0", **message}), HEADERS)
        assert connection.getresponse().status in (200, 202)
    finally:
        connection.close()
