"""A server whose tools ask back, report progress, and answer much; it takes what forms have to cope with."""

import asyncio
import json
from typing import Annotated, Literal

from mcp.server import MCPServer
from mcp.server.mcpserver import Context, Elicit, Resolve
from mcp_types import ToolAnnotations
from pydantic import BaseModel

mcp = MCPServer("playground")

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>{{ 7*7 }}'


class Size(BaseModel):
    """How large it is."""

    size: Literal["small", "large"]
    sugar: int = 0


def ask_size(what: str) -> Elicit[Size]:
    return Elicit(f"Which size of {what}?", Size)


@mcp.tool()
def order(what: str, size: Annotated[Size, Resolve(ask_size)]) -> str:
    """Orders something, after it has asked for the size."""
    return f"a {size.size} {what} with {size.sugar} sugar"


@mcp.tool(annotations=ToolAnnotations(read_only_hint=True))
async def steps(count: int, ctx: Context, note: str | None = None) -> str:
    """Reports progress after each step."""
    for step in range(1, count + 1):
        await ctx.report_progress(step, count, f"step {step}")
    return f"{count} steps, {note}"


@mcp.tool(annotations=ToolAnnotations(read_only_hint=True))
def much(size: int) -> str:
    """Answers with so many characters."""
    return "x" * size


@mcp.tool(annotations=ToolAnnotations(read_only_hint=True))
def number(value: int) -> str:
    """Says a number again."""
    return f"it is {value}"


@mcp.tool(annotations=ToolAnnotations(destructive_hint=True))
async def forever() -> str:
    """Never answers."""
    await asyncio.Event().wait()
    return ""


class Node(BaseModel):
    """A branch."""

    name: str
    below: list["Node"] = []


@mcp.tool(description=f"Says what it got. {HOSTILE}", annotations=ToolAnnotations(read_only_hint=True))
def arguments(
    kind: Literal[HOSTILE, "plain"],
    count: int | None = None,
    share: float = 0.5,
    tags: list[str] | None = None,
    tree: Node | None = None,
) -> str:
    return json.dumps({"kind": kind, "count": count, "share": share, "tags": tags, "tree": tree and tree.name})


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
