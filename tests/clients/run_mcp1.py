"""Runs the mcp 1 client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mcp import ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from observations import Answer, OnProgress, answer, run


class Mcp1Session:
    def __init__(self, session: ClientSession, initialized: Any) -> None:
        self.session = session
        self.initialized = initialized

    def about(self) -> dict[str, Any]:
        return {"server": self.initialized.serverInfo.name, "protocol": self.initialized.protocolVersion}

    async def tools(self) -> list[str]:
        return [tool.name for tool in (await self.session.list_tools()).tools]

    async def call(self, tool: str, arguments: dict[str, Any], on_progress: OnProgress | None = None) -> Answer:
        async def progress(value: float, total: float | None, message: str | None) -> None:
            assert on_progress
            on_progress(value)

        result = await self.session.call_tool(tool, arguments, progress_callback=progress if on_progress else None)
        return answer(result.content[0].text, result.isError)

    async def prompt(self, name: str, arguments: dict[str, str]) -> str:
        return (await self.session.get_prompt(name, arguments)).messages[0].content.text

    async def read(self, uri: str) -> str:
        return (await self.session.read_resource(uri)).contents[0].text


@asynccontextmanager
async def connected(transport: Any) -> AsyncIterator[Mcp1Session]:
    async with transport as (read, write, *_), ClientSession(read, write) as session:
        yield Mcp1Session(session, await session.initialize())


if __name__ == "__main__":
    run(
        lambda mcp_url, sse_url: {
            "http": lambda: connected(streamable_http_client(mcp_url)),
            "sse": lambda: connected(sse_client(sse_url)),
        }
    )
