"""The peer: LAYER FOLDER PORT STATE; a server file under plain uvicorn, its app made as its SDK documents it.

Run as a file by the interpreter of the layer, with `-I -S`: it sees the same packages as a worker, and nothing else.
STATE is `stateless` or `sessions`.
"""

from __future__ import annotations

import importlib
import os
import site
import sys
from typing import Any


def make_app(module: Any, *, stateless: bool) -> Any:
    server = next(getattr(module, name) for name in ("app", "mcp", "server") if hasattr(module, name))
    if hasattr(server, "router"):
        return server
    if hasattr(server, "http_app"):
        return server.http_app(stateless_http=stateless)
    if hasattr(server, "settings") and hasattr(server.settings, "stateless_http"):
        server.settings.stateless_http = stateless
        return server.streamable_http_app()
    if hasattr(server, "streamable_http_app"):
        return server.streamable_http_app(stateless_http=stateless)
    return lowlevel_app(server, stateless=stateless)


def lowlevel_app(server: Any, *, stateless: bool) -> Any:
    """mcp 1.x has no app for a low-level server; this is its example simple-streamablehttp, or -stateless."""
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from starlette.applications import Starlette
    from starlette.routing import Mount

    manager = StreamableHTTPSessionManager(app=server, stateless=stateless)

    async def handle(scope: Any, receive: Any, send: Any) -> None:
        await manager.handle_request(scope, receive, send)

    return Starlette(routes=[Mount("/", handle)], lifespan=lambda _app: manager.run())


def main() -> None:
    layer, folder, port, state = sys.argv[1:]
    site.addsitedir(layer)
    sys.path.insert(0, folder)
    os.chdir(folder)
    app = make_app(importlib.import_module("server"), stateless=state == "stateless")
    import uvicorn

    uvicorn.run(app, port=int(port), log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
