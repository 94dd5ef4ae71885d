"""Drives the bridge mcp-remote by the mcp 2 client: `node` and `proxy.js` are its arguments."""

from __future__ import annotations

import sys
from contextlib import AbstractAsyncContextManager

from driven import drive
from mcp.client.stdio import StdioServerParameters, stdio_client
from run_mcp2 import Mcp2Session, connected


def opened(url: str, headers: dict[str, str]) -> AbstractAsyncContextManager[Mcp2Session]:
    given = [word for name, value in headers.items() for word in ("--header", f"{name}:{value}")]
    strategy = "sse-only" if url.endswith("/sse") else "http-only"
    arguments = [sys.argv[2], url, "--transport", strategy, *given]
    return connected(stdio_client(StdioServerParameters(command=sys.argv[1], args=arguments)), "legacy")


drive(opened)
