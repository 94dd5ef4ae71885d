"""A server on mcp 1 whose tool asks the client something."""

from mcp.server.fastmcp import Context, FastMCP
from pydantic import BaseModel

mcp = FastMCP("asks")


class Choice(BaseModel):
    colour: str


@mcp.tool()
async def ask(ctx: Context) -> str:
    """Asks for a colour."""
    return str(await ctx.elicit("Which colour?", Choice))
