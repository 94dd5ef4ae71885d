"""Prints the tools of one server as JSON, name to input schema: the mcp 1 client, asked once.

python run_list.py stdio PROGRAM ARGUMENT...
python run_list.py http URL
python run_list.py sse URL
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import anyio
from mcp import ClientSession, StdioServerParameters
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

DEADLINE_S = 75


def transport(kind: str, target: str, arguments: list[str]) -> Any:
    if kind == "stdio":
        return stdio_client(StdioServerParameters(command=target, args=arguments, env=dict(os.environ)))
    return {"http": streamable_http_client, "sse": sse_client}[kind](target)


async def tools(kind: str, target: str, *arguments: str) -> dict[str, Any]:
    listed: dict[str, Any] = {}
    with anyio.fail_after(DEADLINE_S):
        async with transport(kind, target, list(arguments)) as (read, write, *_), ClientSession(read, write) as session:
            await session.initialize()
            cursor = None
            while True:
                page = await session.list_tools(cursor)
                listed |= {tool.name: tool.inputSchema for tool in page.tools}
                cursor = page.nextCursor
                if not cursor:
                    break
    return listed


if __name__ == "__main__":
    # A server may print on our stdout's descriptor; the answer is the last line.
    print(json.dumps(anyio.run(tools, *sys.argv[1:])), flush=True)
    os._exit(0)
