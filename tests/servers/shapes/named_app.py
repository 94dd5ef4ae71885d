"""The object is called `app`, and is an MCP server all the same."""

from mcp.server import MCPServer

app = MCPServer("named-app")


@app.tool()
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b
