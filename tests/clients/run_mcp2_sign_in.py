"""Signs in with the OAuthClientProvider of mcp 2, and calls `add` and `whoami`.

What the person's browser has to open is a line of JSON on stdout; where the browser ends up is a line on stdin.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.oauth2 import AuthorizationCodeResult
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


async def answered() -> AuthorizationCodeResult:
    said = parse_qs(urlsplit(await asyncio.to_thread(sys.stdin.readline)).query)
    code, state, issuer = (said[key][0].strip() for key in ("code", "state", "iss"))
    return AuthorizationCodeResult(code=code, state=state, iss=issuer)


async def main(url: str) -> None:
    metadata = OAuthClientMetadata(redirect_uris=["http://localhost:3030/callback"], client_name="mcp 2")
    provider = OAuthClientProvider(url, metadata, Kept(), open_page, answered)
    async with httpx2.AsyncClient(auth=provider, timeout=60) as http:
        transport = (
            sse_client(url, auth=provider) if url.endswith("/sse") else streamable_http_client(url, http_client=http)
        )
        async with Client(transport) as client:
            texts = [(await client.call_tool("whoami", {})).content[0].text]
            texts.append((await client.call_tool("add", {"a": 1, "b": 2})).content[0].text)
            texts.append((await client.call_tool("whoami", {})).content[0].text)
    print(json.dumps({"texts": texts}), flush=True)


asyncio.run(main(sys.argv[1]))
