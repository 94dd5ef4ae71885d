"""Lets a zygote serve once before it forks, so that its workers share what an SDK creates on first use.

That is validators, caches and specialised bytecode. A preforked worker does it again while it waits for its order.
No code of a user's runs here.
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

# The modules and classes that most servers of an SDK are made of; fastmcp contains one of the others.
SERVER_CLASSES = (("fastmcp", "FastMCP"), ("mcp.server.mcpserver", "MCPServer"), ("mcp.server.fastmcp", "FastMCP"))


def rehearse() -> bool:
    """Serves a small server of the SDK that is loaded: what every client asks first, and one call.

    Returns False if no SDK is loaded, or it cannot be used before a fork.
    """
    for module, name in SERVER_CLASSES:
        sdk: Any = sys.modules.get(module)
        if hasattr(sdk, name):
            # fastmcp 2 starts a thread when it serves, which a fork would lose.
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
    """Yields tools with the kinds of arguments and results that most tools have."""

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

    # Annotations are objects, since this module does not know the context's class.
    search.__annotations__ = {"text": str, "limit": int, "words": list[str] | None, "return": list[str]}
    store.__annotations__ = {"key": str, "value": float, "ctx": context, "exact": bool, "return": dict[str, Any]}
    describe.__annotations__ = {"name": str, "options": dict[str, str] | None, "return": str}
    yield from (search, store, describe)


@contextmanager
def _quietly() -> Iterator[None]:
    """Restores the configuration of logging, which some SDKs change when a server is made."""
    root, disabled = logging.getLogger(), logging.root.manager.disable
    handlers, level = root.handlers[:], root.level
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.disable(disabled)
