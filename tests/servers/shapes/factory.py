"""A factory: deployed as `factory.py:create`."""

from mcp.server import MCPServer


def create() -> MCPServer:
    made = MCPServer("factory")

    @made.tool()
    def add(a: int, b: int) -> int:
        """Adds two numbers."""
        return a + b

    return made
