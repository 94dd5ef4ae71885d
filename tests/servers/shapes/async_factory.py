"""An async factory: deployed as `async_factory.py:create`. What it makes belongs to the loop that serves."""

import asyncio

from mcp.server import MCPServer


async def create() -> MCPServer:
    loop = asyncio.get_running_loop()
    made = MCPServer("async-factory")

    @made.tool()
    async def add(a: int, b: int) -> int:
        """Adds two numbers, on the loop of the factory."""
        future = loop.create_future()
        loop.call_soon(future.set_result, a + b)
        return await future

    return made
