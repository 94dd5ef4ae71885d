"""A Starlette app of the user's own, with an MCP server at /mcp and a page beside it."""

import asyncio
import os
from pathlib import Path

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

mcp = MCPServer("asgi")


@mcp.tool()
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@mcp.tool()
async def slow(steps: int, ctx: Context, token: str = "") -> str:
    """Reports progress after each step; with a token, stops after the first until release(token) is called."""
    for step in range(1, steps + 1):
        await ctx.report_progress(step, steps)
        if token and step == 1:
            while not Path(f"released-{token}").exists():
                await asyncio.sleep(0.01)
    return f"{steps} steps"


@mcp.tool()
def release(token: str) -> str:
    """Lets the slow call with this token go on."""
    Path(f"released-{token}").touch()
    return "released"


@mcp.tool()
def fail() -> str:
    """Always fails."""
    raise ValueError("this tool always fails")


@mcp.tool()
def remember(text: str) -> str:
    """Writes a note into the current folder."""
    Path("notes.txt").write_text(text)
    return "remembered"


@mcp.tool()
def recall() -> str:
    """Reads the note back."""
    return Path("notes.txt").read_text()


@mcp.tool()
def whoami() -> str:
    """Tells which process answers, and what its environment says."""
    return f"{os.getpid()} {os.environ.get('GREETING', '')}"


@mcp.prompt()
def greet(name: str) -> str:
    """A greeting."""
    return f"Greet {name} warmly."


@mcp.resource("config://app")
def config() -> str:
    """The configuration."""
    return "theme = dark"


@mcp.resource("item://{id}")
def item(id: str) -> str:
    """One item."""
    return f"item {id}"


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello from the app")


inner = mcp.streamable_http_app(stateless_http=True)
app = Starlette(routes=[Route("/hello", hello), Mount("/", inner)], lifespan=inner.router.lifespan_context)
