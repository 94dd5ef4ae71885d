"""Adapts every kind of server to one interface; the first kind whose `infer` recognises an object serves it."""

from __future__ import annotations

from typing import Any

from .asgi_app import ASGIAppServer
from .base import ServeOptions, ServerAdapter
from .fastmcp import FastMCPServer
from .lowlevel import LowLevelServer
from .mcp_sdk import FastMCP1Server, MCPServer2
from .older_sdk import OlderServer

KINDS: tuple[Any, ...] = (OlderServer, FastMCPServer, FastMCP1Server, MCPServer2, LowLevelServer, ASGIAppServer)


def is_server(candidate: object) -> bool:
    return any(kind.infer(candidate) for kind in KINDS)


def adapt(server: object, options: ServeOptions) -> ServerAdapter:
    """Returns the adapter of the first kind that recognises `server`.

    Raises LookupError if none does.
    """
    for kind in KINDS:
        if kind.infer(server):
            adapter: ServerAdapter = kind(server, options)
            return adapter
    raise LookupError(type(server).__qualname__)
