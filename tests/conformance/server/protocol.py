"""Offers the protocol's corners: subscriptions, log level, completion, capabilities, lists that change, parameters in
headers.
"""

from typing import Annotated

from mcp.server import MCPServer, ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import Prompt
from mcp.shared.exceptions import MCPError
from mcp.types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    Completion,
    EmptyResult,
    SetLevelRequestParams,
    SubscribeRequestParams,
    UnsubscribeRequestParams,
)
from pydantic import Field

# SEP-2106: what a tool's schema keeps on its way through tools/list; the suite compares keyword by keyword.
SCHEMA_2020_12 = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


async def accept(ctx: ServerRequestContext, params: object) -> EmptyResult:
    return EmptyResult()


def register(mcp: MCPServer) -> None:
    tools(mcp)
    changes(mcp)

    @mcp.completion()
    async def complete(ref: object, argument: object, context: object) -> Completion:
        return Completion(values=["test-1", "test-2"], total=2, has_more=False)

    # MCPServer has no public way to offer these three requests of the older protocols.
    for method, params in {
        "logging/setLevel": SetLevelRequestParams,
        "resources/subscribe": SubscribeRequestParams,
        "resources/unsubscribe": UnsubscribeRequestParams,
    }.items():
        mcp._lowlevel_server.add_request_handler(method, params, accept)


def tools(mcp: MCPServer) -> None:
    @mcp.tool()
    async def test_missing_capability(ctx: Context) -> str:
        """Refuses clients that cannot sample."""
        capabilities = ctx.client_capabilities
        if capabilities and capabilities.sampling:
            return "The client can sample"
        raise MCPError(
            code=MISSING_REQUIRED_CLIENT_CAPABILITY,
            message="This tool requires the client capability 'sampling'",
            data={"requiredCapabilities": {"sampling": {}}},
        )

    @mcp.tool()
    def test_x_mcp_header(
        region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = "nowhere",
    ) -> str:
        """Takes an argument that is mirrored in a header (SEP-2243)."""
        return f"region={region}"

    @mcp.tool()
    async def test_reconnection(ctx: Context) -> str:
        """Ends the stream in the middle of the call; the client comes back for the answer."""
        await ctx.close_sse_stream()
        return "Reconnection test completed"

    @mcp.tool()
    def json_schema_2020_12_tool() -> str:
        """Has a schema with the keywords of JSON Schema 2020-12."""
        return "ok"

    mcp._tool_manager._tools["json_schema_2020_12_tool"].parameters = SCHEMA_2020_12


def changes(mcp: MCPServer) -> None:
    def dynamic() -> str:
        return "dynamic"

    @mcp.tool()
    async def test_trigger_tool_change(ctx: Context) -> str:
        """Changes the list of tools."""
        mcp.add_tool(dynamic, name="test_dynamic_tool")
        mcp.remove_tool("test_dynamic_tool")
        await ctx.notify_tools_changed()
        return "The list of tools has changed"

    @mcp.tool()
    async def test_trigger_prompt_change(ctx: Context) -> str:
        """Changes the list of prompts."""
        mcp.add_prompt(Prompt.from_function(dynamic, name="test_dynamic_prompt"))
        mcp.remove_prompt("test_dynamic_prompt")
        await ctx.notify_prompts_changed()
        return "The list of prompts has changed"
