"""`mcp1_client.py URL`: an mcp 1 client over both transports; prints what it saw as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from mcp import ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client


async def observe(transport: Any, session_class: Any = ClientSession) -> dict[str, Any]:
    async with transport as (read, write, *_), session_class(read, write) as session:
        initialized = await session.initialize()
        heard: list[float] = []

        async def progress(value: float, _total: float | None, _message: str | None) -> None:
            heard.append(value)

        tools = await session.list_tools()
        added = await session.call_tool("add", {"a": 2, "b": 3})
        slow = await session.call_tool("slow", {"steps": 2}, progress_callback=progress)
        return {
            "version": initialized.protocolVersion,
            "tools": [tool.name for tool in tools.tools],
            "add": added.content[0].text,
            "slow": slow.content[0].text,
            "progress": heard,
        }


async def main(url: str) -> None:
    async with asyncio.timeout(60):
        http = await observe(streamable_http_client(f"{url}/mcp"))
        sse = await observe(sse_client(f"{url}/sse"))
    print(json.dumps({"http": http, "sse": sse}))


asyncio.run(main(sys.argv[1]))
