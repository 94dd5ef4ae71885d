"""A zygote serves once before it forks: what an SDK makes on first use (validators, caches, specialised bytecode) is
made there, and shared by all its workers. No code of a user's runs here.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..app import App
from ..guard.names import Names
from ..servers import adapt
from ..servers.base import ServeOptions

# Where the SDKs of a layer keep the class that most servers are made of; fastmcp comes with one of the others.
SERVER_CLASSES = (("fastmcp", "FastMCP"), ("mcp.server.mcpserver", "MCPServer"), ("mcp.server.fastmcp", "FastMCP"))


def rehearse() -> bool:
    """Answers what every client asks first, and one call, for a small server of the SDK that is loaded, if one is."""
    for module, name in SERVER_CLASSES:
        sdk: Any = sys.modules.get(module)
        if hasattr(sdk, name):
            # fastmcp 2 starts a thread when it serves, and no thread survives a fork.
            if str(getattr(sdk, "__version__", "")).startswith("2."):
                return False
            with _quietly():
                asyncio.run(_serve(getattr(sdk, name)("rehearsal"), sdk.Context))
            return True
    return False


async def _serve(server: Any, context: type[Any]) -> None:
    for tool in _tools(context):
        server.tool()(tool)
    app = App(adapt(server, ServeOptions()), Names(()), sessions=None)
    async with app.lifespan():
        await app.warm_up()
        await app.call("search", {"text": "x"})


def _tools(context: type[Any]) -> Iterator[Callable[..., Any]]:
    """The kinds of arguments and results that most tools have."""

    async def search(text: str, limit: int = 10, words: list[str] | None = None) -> list[str]:
        """Finds."""
        return [text, *(words or [])][:limit]

    async def store(key: str, value: float, ctx: Any, exact: bool = False) -> dict[str, Any]:
        """Keeps."""
        await ctx.info(key)
        return {"key": key, "value": value, "exact": exact}

    def describe(name: str, options: dict[str, str] | None = None) -> str:
        """Tells."""
        return f"{name} {options}"

    # As objects, since the context's class is not known to this module.
    search.__annotations__ = {"text": str, "limit": int, "words": list[str] | None, "return": list[str]}
    store.__annotations__ = {"key": str, "value": float, "ctx": context, "exact": bool, "return": dict[str, Any]}
    describe.__annotations__ = {"name": str, "options": dict[str, str] | None, "return": str}
    yield from (search, store, describe)


@contextmanager
def _quietly() -> Iterator[None]:
    """Some SDKs configure logging when a server is made: that is left to the servers that will be served."""
    root, disabled = logging.getLogger(), logging.root.manager.disable
    handlers, level = root.handlers[:], root.level
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.disable(disabled)
