"""Tools that talk while they run: log messages, progress, and questions to the client (protocols up to 2025-11-25)."""

from enum import StrEnum
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.types import SamplingMessage, TextContent
from pydantic import BaseModel, Field


class Status(StrEnum):
    active = "active"
    inactive = "inactive"
    pending = "pending"


STATES = [state.value for state in Status]


class Answer(BaseModel):
    response: str = Field(description="User's response")


class Defaults(BaseModel):
    """Has a default for every primitive type (SEP-1034)."""

    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: str = Field("active", json_schema_extra={"enum": STATES})
    verified: bool = True


def titled(**titles: str) -> list[dict[str, str]]:
    return [{"const": value, "title": title} for value, title in titles.items()]


class Choices(BaseModel):
    """Has the five ways to write an enumeration (SEP-1330); the suite fixes the names."""

    untitledSingle: str = Field(json_schema_extra={"enum": STATES})  # noqa: N815
    titledSingle: str = Field(json_schema_extra={"oneOf": titled(a="First", b="Second", c="Third")})  # noqa: N815
    untitledMulti: list[str] = Field(json_schema_extra={"items": {"type": "string", "enum": STATES}})  # noqa: N815
    titledMulti: list[str] = Field(json_schema_extra={"items": {"anyOf": titled(a="First", b="Second")}})  # noqa: N815
    legacyEnum: str = Field(json_schema_extra={"enum": ["a", "b"], "enumNames": ["First", "Second"]})  # noqa: N815


async def asked(ctx: Context, message: str, schema: type[BaseModel]) -> str:
    result = await ctx.elicit(message=message, schema=schema)
    content = result.data.model_dump_json() if result.action == "accept" else "{}"
    return f"action={result.action}, content={content}"


def register(mcp: MCPServer) -> None:
    @mcp.tool()
    async def test_tool_with_logging(ctx: Context) -> str:
        """Logs three messages while it runs."""
        for message in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await ctx.info(message)
        return "Tool with logging executed successfully"

    @mcp.tool()
    async def test_tool_with_progress(ctx: Context) -> str:
        """Reports progress three times while it runs."""
        for progress in (0, 50, 100):
            await ctx.report_progress(progress, 100, f"Completed step {progress} of 100")
        meta: dict[str, Any] = dict(ctx.request_context.meta or {})
        return str(meta.get("progress_token", 0))

    @mcp.tool()
    async def test_sampling(prompt: str, ctx: Context) -> str:
        """Has the client's model answer."""
        # Without related_request_id the question goes to the GET stream, and is lost when that is not open.
        result = await ctx.session.create_message(
            messages=[SamplingMessage(role="user", content=TextContent(text=prompt))],
            max_tokens=100,
            related_request_id=ctx.request_id,
        )
        return f"LLM response: {result.content.text if result.content.type == 'text' else ''}"

    @mcp.tool()
    async def test_elicitation(message: str, ctx: Context) -> str:
        """Asks the person."""
        return f"User response: {await asked(ctx, message, Answer)}"

    @mcp.tool()
    async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
        """Asks with defaults."""
        return f"Elicitation completed: {await asked(ctx, 'Please review the defaults', Defaults)}"

    @mcp.tool()
    async def test_elicitation_sep1330_enums(ctx: Context) -> str:
        """Asks with enumerations."""
        return f"Elicitation completed: {await asked(ctx, 'Please choose', Choices)}"
