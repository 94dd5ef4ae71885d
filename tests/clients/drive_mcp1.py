"""Drives the mcp 1 client."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from driven import drive
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamablehttp_client
from run_mcp1 import Mcp1Session, connected


def opened(url: str, headers: dict[str, str]) -> AbstractAsyncContextManager[Mcp1Session]:
    return connected((sse_client if url.endswith("/sse") else streamablehttp_client)(url, headers=headers))


drive(opened)
