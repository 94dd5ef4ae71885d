"""Two candidates: deployed as `two_servers.py:second`, or refused with both names."""

from mcp.server import MCPServer

first = MCPServer("first")
second = MCPServer("second")


@first.tool()
def add(a: int, b: int) -> int:
    """Adds wrongly, so that a test sees which one serves."""
    return a - b


@second.tool(name="add")
def add_second(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b
