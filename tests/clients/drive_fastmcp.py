"""Drives the fastmcp client of the environment that it runs in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from driven import drive
from fastmcp import Client
from fastmcp.client.transports import SSETransport, StreamableHttpTransport
from run_fastmcp import FastMCPSession


@asynccontextmanager
async def opened(url: str, headers: dict[str, str]) -> AsyncIterator[FastMCPSession]:
    transport = SSETransport if url.endswith("/sse") else StreamableHttpTransport
    async with Client(transport(url, headers=headers)) as client:
        yield FastMCPSession(client)


drive(opened)
