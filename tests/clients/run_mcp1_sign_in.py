"""Signs in with the OAuthClientProvider of mcp 1, as run_mcp2_sign_in.py does."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from mcp import ClientSession
from mcp.client.auth import OAuthClientProvider
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata


class Kept:
    def __init__(self) -> None:
        self.tokens: Any = None
        self.client: Any = None

    async def get_tokens(self) -> Any:
        return self.tokens

    async def set_tokens(self, tokens: Any) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> Any:
        return self.client

    async def set_client_info(self, client: Any) -> None:
        self.client = client


async def open_page(url: str) -> None:
    print(json.dumps({"open": url}), flush=True)


async def answered() -> tuple[str, str]:
    said = parse_qs(urlsplit(await asyncio.to_thread(sys.stdin.readline)).query)
    return said["code"][0], said["state"][0]


async def main(url: str) -> None:
    metadata = OAuthClientMetadata(redirect_uris=["http://localhost:3030/callback"], client_name="mcp 1")
    provider = OAuthClientProvider(url, metadata, Kept(), open_page, answered)
    async with httpx.AsyncClient(auth=provider, timeout=60) as http:
        if url.endswith("/sse"):
            transport: Any = sse_client(url, auth=provider)
        else:
            transport = streamable_http_client(url, http_client=http)
        async with transport as streams, ClientSession(streams[0], streams[1]) as client:
            await client.initialize()
            texts = [(await client.call_tool("whoami", {})).content[0].text]
            texts.append((await client.call_tool("add", {"a": 1, "b": 2})).content[0].text)
            texts.append((await client.call_tool("whoami", {})).content[0].text)
    print(json.dumps({"texts": texts}), flush=True)


asyncio.run(main(sys.argv[1]))
