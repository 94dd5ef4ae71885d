"""Signs in with the OAuthClientProvider of mcp 1, and calls tools."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from mcp import ClientSession
from mcp.client.auth import OAuthClientProvider
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata
from sign_in import REDIRECT, Kept, answered, arguments, open_page, use


async def code_and_state() -> tuple[str, str]:
    said = await answered()
    return said["code"], said["state"]


async def main(url: str, document: str | None) -> None:
    metadata = OAuthClientMetadata(redirect_uris=[REDIRECT], client_name="mcp 1")
    provider = OAuthClientProvider(url, metadata, Kept(), open_page, code_and_state, client_metadata_url=document)
    async with httpx.AsyncClient(auth=provider, timeout=60) as http:
        if url.endswith("/sse"):
            transport: Any = sse_client(url, auth=provider)
        else:
            transport = streamable_http_client(url, http_client=http)
        async with transport as streams, ClientSession(streams[0], streams[1]) as client:
            await client.initialize()
            await use(client)


asyncio.run(main(*arguments()))
