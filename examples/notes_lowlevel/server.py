"""Notes kept as text files, written with the low-level Server of the official SDK (mcp 2)."""

import asyncio
import re
from pathlib import Path
from typing import Any

import mcp_types as types
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server

# Relative to the current folder, which belongs to the project and outlives its releases.
NOTES = Path("notes")
TITLE = {"type": "string", "pattern": "^[A-Za-z0-9 _-]{1,80}$", "description": "Letters, digits, spaces, - and _"}


def tool(name: str, description: str, **properties: dict[str, Any]) -> types.Tool:
    schema = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return types.Tool(name=name, description=description, input_schema=schema)


TOOLS = [
    tool("write_note", "Write a note, or write it anew.", title=TITLE, text={"type": "string"}),
    tool("read_note", "Read one note.", title=TITLE),
    tool("search_notes", "List the notes that have a text in their title or content.", text={"type": "string"}),
]


async def list_tools(
    ctx: ServerRequestContext[Any], params: types.PaginatedRequestParams | None
) -> types.ListToolsResult:
    return types.ListToolsResult(tools=TOOLS)


async def call_tool(ctx: ServerRequestContext[Any], params: types.CallToolRequestParams) -> types.CallToolResult:
    try:
        text, failed = answer(params.name, params.arguments or {}), False
    except (ValueError, KeyError, FileNotFoundError) as error:
        text, failed = f"{params.name} failed: {error}", True
    return types.CallToolResult(content=[types.TextContent(text=text)], is_error=failed)


def answer(name: str, arguments: dict[str, str]) -> str:
    match name:
        case "write_note":
            file = note(arguments["title"])
            NOTES.mkdir(exist_ok=True)
            file.write_text(arguments["text"], encoding="utf-8")
            return f"kept as {file}"
        case "read_note":
            return note(arguments["title"]).read_text(encoding="utf-8")
        case "search_notes":
            found = sorted(file.stem for file in NOTES.glob("*.txt") if mentions(file, arguments["text"].lower()))
            return "\n".join(found) or "no note has it"
    raise ValueError(f"there is no tool {name}")


def note(title: str) -> Path:
    """The file of a note. The low-level server checks no arguments, so a title that is a path is refused here."""
    if not re.fullmatch(TITLE["pattern"], title):
        raise ValueError(f"{title!r} is not a title")
    return NOTES / f"{title}.txt"


def mentions(file: Path, text: str) -> bool:
    return text in file.stem.lower() or text in file.read_text(encoding="utf-8").lower()


server = Server("notes", on_list_tools=list_tools, on_call_tool=call_tool)


async def main() -> None:
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    asyncio.run(main())
