"""Drives the mcp 2 client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from driven import drive
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from run_mcp2 import Mcp2Session, connected


@asynccontextmanager
async def opened(url: str, headers: dict[str, str]) -> AsyncIterator[Mcp2Session]:
    async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
        is_sse = url.endswith("/sse")
        server = sse_client(url, headers=headers) if is_sse else streamable_http_client(url, http_client=http)
        async with connected(server, "auto") as session:
            yield session


drive(opened)
