"""Runs the mcp 2 client in each of its modes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mcp import Client
from mcp.client.sse import sse_client
from observations import Answer, OnProgress, answer, run


class Mcp2Session:
    def __init__(self, client: Client) -> None:
        self.client = client

    def about(self) -> dict[str, Any]:
        info = self.client.server_info
        return {"server": info.name if info else None, "protocol": self.client.protocol_version}

    async def tools(self) -> list[str]:
        return [tool.name for tool in (await self.client.list_tools()).tools]

    async def call(self, tool: str, arguments: dict[str, Any], on_progress: OnProgress | None = None) -> Answer:
        async def progress(value: float, total: float | None, message: str | None) -> None:
            assert on_progress
            on_progress(value)

        result = await self.client.call_tool(tool, arguments, progress_callback=progress if on_progress else None)
        return answer(result.content[0].text, result.is_error)

    async def prompt(self, name: str, arguments: dict[str, str]) -> str:
        return (await self.client.get_prompt(name, arguments)).messages[0].content.text

    async def read(self, uri: str) -> str:
        return (await self.client.read_resource(uri)).contents[0].text


@asynccontextmanager
async def connected(server: Any, mode: str) -> AsyncIterator[Mcp2Session]:
    async with Client(server, mode=mode) as client:
        yield Mcp2Session(client)


if __name__ == "__main__":
    run(
        lambda mcp_url, sse_url: {
            "http legacy": lambda: connected(mcp_url, "legacy"),
            "http auto": lambda: connected(mcp_url, "auto"),
            "http 2026-07-28": lambda: connected(mcp_url, "2026-07-28"),
            "sse legacy": lambda: connected(sse_client(sse_url), "legacy"),
            "sse auto": lambda: connected(sse_client(sse_url), "auto"),
        }
    )
