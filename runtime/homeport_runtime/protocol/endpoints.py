"""Finds the MCP endpoints of a Starlette or FastAPI app in its routes, without calling or importing anything.

It recognises an endpoint by what its handler reaches: classes of the SDKs, by their names, and those methods of theirs
that a handler of the user's own calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from types import FunctionType, MethodType, ModuleType
from typing import Any

from ..asgi import ASGIApp

HTTP, SSE = "http", "sse"
MESSAGES_PATH = "/messages/"
# The classes that serve streamable HTTP in mcp, fastmcp and fastapi-mcp.
HTTP_HANDLERS = ("StreamableHTTPASGIApp", "StreamableHTTPSessionManager", "FastApiHttpSessionManager")
SSE_TRANSPORT = "SseServerTransport"
# The number of layers (middleware, bound methods, closures) between a handler and what it passes its request to.
MAX_DEPTH = 6


@dataclass(frozen=True)
class Endpoint:
    """Is an MCP endpoint at `path`, of the transport "http" or "sse".

    With "sse" clients post to `messages`. `inside` is the same endpoint without the app's own guards, for inspection
    only; it is None where that is not known.
    """

    path: str
    transport: str = HTTP
    messages: str = MESSAGES_PATH
    inside: ASGIApp | None = None


def find_endpoints(app: object) -> tuple[Endpoint, ...]:
    """Returns each endpoint once, in the order of the routes."""
    found: dict[str, Endpoint] = {}
    messages: dict[int, str] = {}
    streams: dict[str, int] = {}
    router = _routed(app)
    # The app without its middleware, for handlers that cannot be told from their own guard.
    past_middleware = getattr(router, "router", None)
    for path, handler in _handlers(router, ""):
        reached = list(_reached(handler))
        calls = {name for each in reached for name in _names_used(each)}
        transport = next((each for each in reached if _is_a(each, SSE_TRANSPORT)), None)
        if transport is not None and calls & {"handle_post_message", "handle_fastapi_post_message"}:
            messages.setdefault(id(transport), path)
        elif transport is not None and "connect_sse" in calls:
            found.setdefault(path, Endpoint(path, SSE, inside=past_middleware))
            streams[path] = id(transport)
        elif any(_is_a(each, *HTTP_HANDLERS) for each in reached):
            found.setdefault(path, Endpoint(path, HTTP, inside=_inside(reached) or past_middleware))
    return tuple(
        replace(endpoint, messages=messages.get(streams[path], MESSAGES_PATH)) if path in streams else endpoint
        for path, endpoint in found.items()
    )


def has_route(app: object, path: str) -> bool:
    """Tells whether one of the app's routes is for exactly this path."""
    return any(known.rstrip("/") == path for known, _ in _handlers(_routed(app), ""))


def _routed(app: object) -> Any:
    """Returns the app with routes inside any middleware that was wrapped around it by hand."""
    for _ in range(MAX_DEPTH):
        if isinstance(getattr(app, "routes", None), list):
            break
        app = getattr(app, "app", None)
    return app


def _handlers(app: Any, prefix: str) -> Iterator[tuple[str, object]]:
    """Yields each handler with its path."""
    routes = getattr(app, "routes", None)
    for route in routes if isinstance(routes, list) else ():
        path = prefix + getattr(route, "path", "")
        inner = getattr(route, "app", None)
        if "{" in path:
            continue
        if hasattr(route, "endpoint"):
            yield path, route.endpoint
        elif isinstance(getattr(_routed(inner), "routes", None), list):
            yield from _handlers(_routed(inner), path)
        elif inner is not None:
            # A mount without routes gets everything below its path; Starlette redirects from the path itself.
            yield f"{path}/", inner


def _reached(handler: object) -> Iterator[object]:
    """Yields the handler, and the objects that it passes its requests to."""
    pending, seen = [(handler, 0)], set()
    while pending:
        current, depth = pending.pop(0)
        if id(current) in seen or depth > MAX_DEPTH:
            continue
        seen.add(id(current))
        yield current
        with suppress(Exception):
            # A proxy object may raise any error.
            pending += [(each, depth + 1) for each in _next(current)]


def _next(current: Any) -> Iterator[object]:
    kind = type(current)
    if kind is partial:
        yield current.func
    elif kind is MethodType:
        yield current.__self__
        yield current.__func__
    elif kind is FunctionType:
        # Only names that a function uses are followed, since the globals of a library's functions lead nearly
        # everywhere.
        names = [name for name in current.__code__.co_names if name in current.__globals__]
        yield from (value for value in map(current.__globals__.get, names) if _is_of_interest(value))
        for cell in current.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:
                # The variable has no value yet.
                continue
    elif not issubclass(kind, (type, ModuleType)):
        own = getattr(current, "__dict__", {})
        yield from (own[name] for name in ("app", "session_manager", "_session_manager") if name in own)
        call = getattr(kind, "__call__", None)  # noqa: B004
        if type(call) is FunctionType and not _is_a(current, SSE_TRANSPORT, *HTTP_HANDLERS):
            yield call


def _is_of_interest(value: object) -> bool:
    return type(value) is FunctionType or _is_a(value, SSE_TRANSPORT, *HTTP_HANDLERS)


def _is_a(candidate: object, *names: str) -> bool:
    return any(cls.__name__ in names for cls in type(candidate).__mro__)


def _names_used(reached: object) -> tuple[str, ...]:
    """Returns the attributes that a function uses, or the name of a method."""
    if type(reached) is MethodType:
        return (reached.__name__,)
    return reached.__code__.co_names if type(reached) is FunctionType else ()


def _inside(reached: list[object]) -> ASGIApp | None:
    for each in reached:
        if _is_a(each, "StreamableHTTPSessionManager"):
            handle: ASGIApp = each.handle_request  # type: ignore[attr-defined]
            return handle
        if _is_a(each, "StreamableHTTPASGIApp") and callable(each):
            return each
    return None
