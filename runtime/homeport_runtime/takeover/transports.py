"""Patches the places where libraries start to serve: the SDKs' own run methods, stdio, and the ASGI servers.

The patches last as long as the process, and do nothing while no takeover is set: a zygote is patched before it imports
a library from which others import names (`from mcp.server.stdio import ...`). Places that a version of a library does
not have are recorded as gaps (libraries.gaps).
"""

from __future__ import annotations

import contextlib
import inspect
import sys
import threading
from collections.abc import AsyncIterator, Callable
from functools import cache, wraps
from importlib.util import find_spec
from typing import Any

from ..libraries.gaps import record_gap
from ..libraries.mcp import has_streamable_http
from ..servers.base import Given
from .hooks import Hooks
from .point import StandIn, Takeover

# The modules to patch of each library; of each group, a version has at least one.
PLACES = {
    # The second is of fastmcp before 2, which serves by mcp's.
    "fastmcp": (("fastmcp.server.server", "fastmcp.prompts.manager"),),
    "mcp": (("mcp.server.stdio",), ("mcp.server.lowlevel.server", "mcp.server")),
    "uvicorn": (("uvicorn.server",),),
    "hypercorn": (("hypercorn.asyncio",),),
}
NOT_TAKEN = "a program that starts to serve there is not taken over, but run as a program of its own over stdio"


@cache
def install() -> None:
    """Patches the libraries once for this process and its forks."""
    hooks = {
        "fastmcp.server.server": _patch_fastmcp,
        "mcp.server.fastmcp.server": _patch_fastmcp1,
        "mcp.server.mcpserver.server": _patch_mcpserver2,
        "mcp.server.stdio": _patch_stdio,
        # Before mcp 1.2 the server was in this module.
        "mcp.server": _patch_lowlevel,
        "mcp.server.lowlevel.server": _patch_lowlevel,
        "uvicorn.server": _patch_uvicorn,
        "hypercorn.asyncio": _patch_hypercorn,
    }
    Hooks(hooks).install()


def check_places() -> None:
    """Records a gap for each module of an imported library that its version no longer has."""
    for library, groups in PLACES.items():
        for names in groups if library in sys.modules else ():
            if not any(name in sys.modules or _can_be_found(name) for name in names):
                record_gap(library, names[0], NOT_TAKEN)


def _can_be_found(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        # The package of the module does not exist either.
        return False


def _replace(library: str, owner: Any, name: str, take: Callable[..., Any]) -> None:
    """Replaces a method by one that calls `take` while a takeover is set.

    `take` gets the takeover, the original method, and the arguments of the call by name.
    """
    original = getattr(owner, name, None)
    if original is None:
        record_gap(library, f"{getattr(owner, '__qualname__', 'class')}.{name}", NOT_TAKEN)
        return
    signature = inspect.signature(original)

    @wraps(original)
    async def replaced(*args: Any, **kwargs: Any) -> Any:
        takeover = Takeover.current()
        if takeover is None:
            return await original(*args, **kwargs)
        given = signature.bind(*args, **kwargs).arguments
        given.update(given.pop("kwargs", {}))
        return await take(takeover, original, given)

    setattr(owner, name, replaced)


def _high_level(transport: str) -> Callable[..., Any]:
    """Returns a `take` for a server object that runs itself."""

    async def take(takeover: Takeover, _original: Any, given: dict[str, Any]) -> None:
        server = given.pop("self")
        await takeover.serve(server, _given(given.pop("transport", None) or transport, given))

    return take


def _given(transport: str, options: dict[str, Any]) -> Given:
    stateless = options.get("stateless_http")
    return Given(
        transport="sse" if transport == "sse" else "stdio" if transport == "stdio" else "http",
        path=options.get("path") or options.get("sse_path") or options.get("streamable_http_path"),
        stateless=options.get("stateless") if stateless is None else stateless,
        json_response=options.get("json_response"),
        middleware=tuple(options.get("middleware") or ()),
    )


def _patch_fastmcp(module: Any) -> None:
    """Patches the two methods to which all others lead in fastmcp 2, 3 and 4."""
    server = getattr(module, "FastMCP", None)
    _replace("fastmcp", server, "run_stdio_async", _high_level("stdio"))
    # Up to fastmcp 2.2 it is a method of its own, later another name for run_http_async.
    if hasattr(server, "run_sse_async") and not hasattr(server, "run_http_async"):
        _replace("fastmcp", server, "run_sse_async", _high_level("sse"))
    else:
        _replace("fastmcp", server, "run_http_async", _high_level("http"))


def _patch_fastmcp1(module: Any) -> None:
    """Patches FastMCP of mcp 1.x, which takes options that the call does not have from the server's settings."""
    server = getattr(module, "FastMCP", None)
    _replace("mcp", server, "run_stdio_async", _high_level("stdio"))
    _replace("mcp", server, "run_sse_async", _high_level("sse"))
    if has_streamable_http():
        _replace("mcp", server, "run_streamable_http_async", _high_level("http"))


def _patch_mcpserver2(module: Any) -> None:
    server = getattr(module, "MCPServer", None)
    _replace("mcp", server, "run_stdio_async", _high_level("stdio"))
    _replace("mcp", server, "run_sse_async", _high_level("sse"))
    _replace("mcp", server, "run_streamable_http_async", _high_level("http"))


def _patch_stdio(module: Any) -> None:
    """Replaces the streams that a program gets for its low-level server."""
    original = getattr(module, "stdio_server", None)
    if original is None:
        record_gap("mcp", "stdio_server of mcp.server.stdio", NOT_TAKEN)
        return

    @wraps(original)
    @contextlib.asynccontextmanager
    async def stdio_server(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        # Streams of the program's own choice are not this process's stdin and stdout.
        if Takeover.current() is None or args or kwargs:
            async with original(*args, **kwargs) as streams:
                yield streams
        else:
            yield StandIn(), StandIn()

    module.stdio_server = stdio_server


def _patch_lowlevel(module: Any) -> None:
    async def take(takeover: Takeover, original: Any, given: dict[str, Any]) -> None:
        if not isinstance(given["read_stream"], StandIn):
            await original(**given)
            return
        await takeover.serve(given["self"], Given(initialization=given.get("initialization_options")))

    server = getattr(module, "Server", None)
    if server is not None and server.__module__ == module.__name__:
        _replace("mcp", server, "run", take)


def _patch_uvicorn(module: Any) -> None:
    if not hasattr(module, "Server"):
        record_gap("uvicorn", "Server of uvicorn.server", NOT_TAKEN)
        return
    original_init = module.Server.__init__

    @wraps(original_init)
    def init(self: Any, config: Any, *args: Any, **kwargs: Any) -> None:
        if Takeover.current() is not None:
            # Otherwise uvicorn.run starts other processes, and a reloader.
            config.reload, config.workers = False, 1
        original_init(self, config, *args, **kwargs)

    async def take(takeover: Takeover, original: Any, given: dict[str, Any]) -> None:
        server = given["self"]
        app = _uvicorn_app(server.config)
        if not _may_take(takeover, app):
            await original(**given)
            return
        # A program that runs its server beside something else waits for this.
        server.started = True
        await takeover.serve(app, Given(transport="app"))

    module.Server.__init__ = init
    _replace("uvicorn", module.Server, "serve", take)


def _uvicorn_app(config: Any) -> Any:
    """Returns the app itself, without the middleware of uvicorn."""
    from uvicorn.importer import import_from_string

    app = import_from_string(config.app) if isinstance(config.app, str) else config.app
    return app() if config.factory else app


def _patch_hypercorn(module: Any) -> None:
    async def take(takeover: Takeover, original: Any, given: dict[str, Any]) -> None:
        if _may_take(takeover, given["app"]):
            await takeover.serve(given["app"], Given(transport="app"))
        else:
            await original(**given)

    _replace("hypercorn", module, "serve", take)


def _may_take(takeover: Takeover, app: object) -> bool:
    """Tells whether `app` is the MCP server, and not an app beside it, such as a health page, which serves itself.

    An app whose routes cannot be read counts as the server if it is served in the program's own thread.
    """
    from ..protocol.endpoints import find_endpoints
    from ..servers.asgi_app import ASGIAppServer

    if not ASGIAppServer.infer(app):
        return False
    readable = isinstance(getattr(app, "routes", None), list)
    return bool(find_endpoints(app)) or (not readable and threading.get_ident() == takeover.thread)
