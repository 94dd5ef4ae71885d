"""The only object of a known kind, with a name nobody looks for."""

from mcp.server import MCPServer

calculator = MCPServer("only-one")


@calculator.tool()
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b
