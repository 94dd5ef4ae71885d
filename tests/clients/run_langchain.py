"""Runs langchain-mcp-adapters, which opens a session for every tool call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from langchain_mcp_adapters.callbacks import CallbackContext, Callbacks
from langchain_mcp_adapters.client import MultiServerMCPClient
from observations import Answer, OnProgress, answer, run


class LangchainSession:
    def __init__(self, connection: dict[str, Any]) -> None:
        self.listeners: list[OnProgress] = []
        self.client = MultiServerMCPClient({"s": connection}, callbacks=Callbacks(on_progress=self.progress))

    def about(self) -> dict[str, Any]:
        return {}

    async def progress(self, value: float, total: float | None, message: str | None, context: CallbackContext) -> None:
        if context.tool_name == "slow":
            for listener in self.listeners:
                listener(value)

    async def tools(self) -> list[str]:
        self.by_name = {tool.name: tool for tool in await self.client.get_tools()}
        return list(self.by_name)

    async def call(self, tool: str, arguments: dict[str, Any], on_progress: OnProgress | None = None) -> Answer:
        if on_progress:
            self.listeners.append(on_progress)
        call = {"type": "tool_call", "id": "1", "name": tool, "args": arguments}
        message = await self.by_name[tool].ainvoke(call)
        return answer(message.content[0]["text"], message.status == "error")

    async def prompt(self, name: str, arguments: dict[str, str]) -> str:
        return str((await self.client.get_prompt("s", name, arguments=arguments))[0].content)

    async def read(self, uri: str) -> str:
        return (await self.client.get_resources("s", uris=[uri]))[0].as_string()


@asynccontextmanager
async def connected(transport: str, url: str) -> AsyncIterator[LangchainSession]:
    yield LangchainSession({"transport": transport, "url": url})


if __name__ == "__main__":
    run(
        lambda mcp_url, sse_url: {
            "http": lambda: connected("streamable_http", mcp_url),
            "sse": lambda: connected("sse", sse_url),
        }
    )
