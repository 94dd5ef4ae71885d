"""Serves one server under uvicorn on a free port, which is printed once it is ready: `served.py JSON`."""

from __future__ import annotations

import importlib.util
import json
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn

from homeport_runtime.asgi import ASGIApp, Receive, Scope, Send
from homeport_runtime.protocol.modern import ModernTranslator
from homeport_runtime.servers import adapt
from homeport_runtime.servers.base import ServeOptions
from homeport_runtime.servers.stdio_bridge import StdioBridge


def adapter_for(spec: dict[str, Any]) -> Any:
    if "command" in spec:
        return StdioBridge(spec["command"], Path.cwd(), {"GREETING": "hello"}, sessions=spec.get("sessions", False))
    module_spec = importlib.util.spec_from_file_location("server_module", spec["file"])
    assert module_spec
    assert module_spec.loader
    module = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(module)
    return adapt(
        module.mcp if hasattr(module, "mcp") else module.server, ServeOptions(sessions=spec.get("sessions", False))
    )


def app_for(adapter: Any, ready: str) -> ASGIApp:
    http = adapter.http if adapter.stateless is None else ModernTranslator(adapter.http, adapter.stateless)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            async with adapter.lifespan():
                await send({"type": "lifespan.startup.complete"})
                print(ready, flush=True)
                await receive()
            await send({"type": "lifespan.shutdown.complete"})
        elif scope["path"] == "/mcp":
            await http(scope, receive, send)
        else:
            await adapter.sse(scope, receive, send)

    return app


def main() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    app = app_for(adapter_for(json.loads(sys.argv[1])), str(listening.getsockname()[1]))
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
