"""Implements `homeport tools` and `call`."""

from __future__ import annotations

from typing import Any

import click

from ..clients.tool_arguments import split_pairs, type_names
from ..errors import ToolError
from .callers import caller_options, headers_for, reached
from .options import json_option, target_option
from .output import Output, table


@click.command("tools")
@click.argument("server", metavar="NAME|URL")
@caller_options
@target_option
@json_option
def tools_command(server: str, token: str | None, headers: tuple[str, ...], as_json: bool) -> None:
    """List the tools of project NAME, or of the MCP server at URL."""
    from ..clients.mcp_client import list_tools

    with reached(server) as endpoint:
        tools = list_tools(endpoint.url, headers_for(endpoint.name, token, headers))
    rows = [(tool["name"], _parameters(tool) or "-", _first_line(tool) or "-") for tool in tools]
    text = table(("tool", "parameters", "description"), rows) if rows else "it has no tools"
    Output(as_json=as_json).result({"ok": True, "url": endpoint.name, "tools": tools}, text)


@click.command("call")
@click.argument("server", metavar="NAME|URL")
@click.argument("tool")
@click.argument("arguments", nargs=-1, metavar="[KEY=VALUE]...")
@caller_options
@target_option
@json_option
def call_command(
    server: str, tool: str, arguments: tuple[str, ...], token: str | None, headers: tuple[str, ...], as_json: bool
) -> None:
    """Call TOOL of project NAME, or of the MCP server at URL.

    A value is text where the tool takes text, and JSON elsewhere: amount=4.5 tags='["food"]'.
    """
    given = split_pairs(arguments)
    from ..clients.mcp_client import call_tool

    output = Output(as_json=as_json)
    with reached(server) as endpoint:
        result = call_tool(
            endpoint.url,
            tool,
            given,
            lambda done, total, message: output.note(_progress(done, total, message)),
            headers_for(endpoint.name, token, headers),
        )
    text = "\n".join(_block_text(block) for block in result["content"])
    if result.get("isError"):
        where = None if "://" in server else f"`homeport errors {server}` shows where, if it was an exception"
        raise ToolError(text or f"{tool} failed without saying why", hint=where)
    data = {"ok": True, "url": endpoint.name, "tool": tool, "content": result["content"]}
    if "structuredContent" in result:
        data["structuredContent"] = result["structuredContent"]
    output.result(data, text)


def _parameters(tool: dict[str, Any]) -> str:
    schema = tool.get("inputSchema", {})
    required = schema.get("required", ())
    return ", ".join(
        f"{name}{'' if name in required else '?'}: {'|'.join(type_names(shape, schema)) or 'any'}"
        for name, shape in schema.get("properties", {}).items()
    )


def _first_line(tool: dict[str, Any]) -> str:
    lines: list[str] = tool.get("description", "").strip().splitlines()
    return lines[0] if lines else ""


def _progress(done: float, total: float | None, message: str | None) -> str:
    share = f"{done:g}/{total:g}" if total is not None else f"{done:g}"
    return f"  {share}  {message}" if message else f"  {share}"


def _block_text(block: dict[str, Any]) -> str:
    """Returns a content block as text for people: of other kinds it shows the name, and --json has them in full."""
    if block["type"] == "text":
        return str(block["text"])
    resource = block.get("resource", block)
    if "text" in resource:
        return str(resource["text"])
    detail = " ".join(str(resource[key]) for key in ("uri", "mimeType") if key in resource)
    return f"[{block['type']} {detail}]"
