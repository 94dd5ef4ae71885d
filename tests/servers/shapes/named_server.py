"""The object is called `server`."""

from mcp.server import MCPServer

server = MCPServer("named-server")


@server.tool()
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b
