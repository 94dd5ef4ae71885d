"""Runs the fastmcp client, which chooses the transport by the URL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastmcp import Client
from observations import Answer, OnProgress, answer, run


class FastMCPSession:
    def __init__(self, client: Client) -> None:
        self.client = client

    def about(self) -> dict[str, Any]:
        initialized = self.client.initialize_result
        if initialized is None:
            return {}
        return {"server": initialized.server_info.name, "protocol": initialized.protocol_version}

    async def tools(self) -> list[str]:
        return [tool.name for tool in await self.client.list_tools()]

    async def call(self, tool: str, arguments: dict[str, Any], on_progress: OnProgress | None = None) -> Answer:
        async def progress(value: float, total: float | None, message: str | None) -> None:
            assert on_progress
            on_progress(value)

        result = await self.client.call_tool(
            tool, arguments, progress_handler=progress if on_progress else None, raise_on_error=False
        )
        return answer(result.content[0].text, result.is_error)

    async def prompt(self, name: str, arguments: dict[str, str]) -> str:
        return (await self.client.get_prompt(name, arguments)).messages[0].content.text

    async def read(self, uri: str) -> str:
        return (await self.client.read_resource(uri))[0].text


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[FastMCPSession]:
    async with Client(url) as client:
        yield FastMCPSession(client)


if __name__ == "__main__":
    run(lambda mcp_url, sse_url: {"http": lambda: connected(mcp_url), "sse": lambda: connected(sse_url)})
