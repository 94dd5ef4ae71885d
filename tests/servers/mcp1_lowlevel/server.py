"""A server on the low-level Server class of mcp 1."""

import asyncio
import os
from pathlib import Path

from mcp import types
from mcp.server import Server
from mcp.server.lowlevel.helper_types import ReadResourceContents

server = Server("mcp1_lowlevel")

NUMBER = {"type": "integer"}
TEXT = {"type": "string"}


def schema(*required: str, **properties: dict) -> dict:
    return {"type": "object", "properties": properties, "required": list(required)}


TOOLS = {
    "add": schema("a", "b", a=NUMBER, b=NUMBER),
    "slow": schema("steps", steps=NUMBER, token=TEXT),
    "release": schema("token", token=TEXT),
    "fail": schema(),
    "remember": schema("text", text=TEXT),
    "recall": schema(),
    "whoami": schema(),
}


@server.list_tools()
async def list_tools() -> list[types.Tool]:
    return [types.Tool(name=name, inputSchema=arguments) for name, arguments in TOOLS.items()]


@server.call_tool()
async def call_tool(name: str, arguments: dict) -> list[types.TextContent]:
    return [types.TextContent(type="text", text=await answer(name, arguments))]


async def answer(name: str, arguments: dict) -> str:
    match name:
        case "add":
            return str(arguments["a"] + arguments["b"])
        case "slow":
            return await slow(arguments["steps"], arguments.get("token", ""))
        case "release":
            Path(f"released-{arguments['token']}").touch()
            return "released"
        case "remember":
            Path("notes.txt").write_text(arguments["text"])
            return "remembered"
        case "recall":
            return Path("notes.txt").read_text()
        case "whoami":
            return f"{os.getpid()} {os.environ.get('GREETING', '')}"
        case "fail":
            raise ValueError("this tool always fails")
    raise ValueError(f"unknown tool {name}")


async def slow(steps: int, token: str) -> str:
    request = server.request_context
    for step in range(1, steps + 1):
        if request.meta and request.meta.progressToken is not None:
            await request.session.send_progress_notification(
                request.meta.progressToken, step, steps, related_request_id=str(request.request_id)
            )
        if token and step == 1:
            while not Path(f"released-{token}").exists():
                await asyncio.sleep(0.01)
    return f"{steps} steps"


@server.list_prompts()
async def list_prompts() -> list[types.Prompt]:
    return [types.Prompt(name="greet", arguments=[types.PromptArgument(name="name", required=True)])]


@server.get_prompt()
async def get_prompt(name: str, arguments: dict[str, str] | None) -> types.GetPromptResult:
    text = types.TextContent(type="text", text=f"Greet {(arguments or {})['name']} warmly.")
    return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=text)])


@server.list_resources()
async def list_resources() -> list[types.Resource]:
    return [types.Resource(uri="config://app", name="config")]


@server.list_resource_templates()
async def list_resource_templates() -> list[types.ResourceTemplate]:
    return [types.ResourceTemplate(uriTemplate="item://{id}", name="item")]


@server.read_resource()
async def read_resource(uri) -> list[ReadResourceContents]:
    text = "theme = dark" if str(uri) == "config://app" else f"item {str(uri).removeprefix('item://')}"
    return [ReadResourceContents(content=text, mime_type="text/plain")]
