"""Signs in with the OAuthClientProvider of mcp 2, and calls tools."""

from __future__ import annotations

import asyncio

import httpx2
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.oauth2 import AuthorizationCodeResult
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata
from sign_in import REDIRECT, Kept, answered, arguments, open_page, use


async def code_and_more() -> AuthorizationCodeResult:
    return AuthorizationCodeResult(**await answered())


async def main(url: str, document: str | None) -> None:
    metadata = OAuthClientMetadata(redirect_uris=[REDIRECT], client_name="mcp 2")
    provider = OAuthClientProvider(url, metadata, Kept(), open_page, code_and_more, client_metadata_url=document)
    async with httpx2.AsyncClient(auth=provider, timeout=60) as http:
        transport = (
            sse_client(url, auth=provider) if url.endswith("/sse") else streamable_http_client(url, http_client=http)
        )
        async with Client(transport) as client:
            await use(client)


asyncio.run(main(*arguments()))
