"""The MCP endpoints of a Starlette or FastAPI app, read from its routes: nothing is called, and nothing is imported.

An endpoint is recognised by what its handler reaches: the classes of the SDKs by their names, and the methods of theirs
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
# A handler is a few layers around what it hands its request to: middleware, bound methods, closures.
MAX_DEPTH = 6


@dataclass(frozen=True)
class Endpoint:
    """`path` answers the transport, "http" or "sse"; in the latter clients post to `messages`. `inside` is the same
    endpoint without the guards in front of it, None where that is not known: it is for inspection alone.
    """

    path: str
    transport: str = HTTP
    messages: str = MESSAGES_PATH
    inside: ASGIApp | None = None


def find_endpoints(app: object) -> tuple[Endpoint, ...]:
    """Each endpoint once, in the order of the routes."""
    found: dict[str, Endpoint] = {}
    messages: dict[int, str] = {}
    streams: dict[str, int] = {}
    router = _routed(app)
    # Behind all middleware of the app, for where the handler's own guard cannot be told from it.
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
    """Whether one of the app's routes is for just this path."""
    return any(known.rstrip("/") == path for known, _ in _handlers(_routed(app), ""))


def _routed(app: object) -> Any:
    """The app with routes behind middleware that is wrapped around it by hand."""
    for _ in range(MAX_DEPTH):
        if isinstance(getattr(app, "routes", None), list):
            break
        app = getattr(app, "app", None)
    return app


def _handlers(app: Any, prefix: str) -> Iterator[tuple[str, object]]:
    """Each handler and the path that leads to it."""
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
            # A mount without routes takes what is below its path; Starlette redirects from the path itself.
            yield f"{path}/", inner


def _reached(handler: object) -> Iterator[object]:
    """The handler, and what it hands its requests to."""
    pending, seen = [(handler, 0)], set()
    while pending:
        current, depth = pending.pop(0)
        if id(current) in seen or depth > MAX_DEPTH:
            continue
        seen.add(id(current))
        yield current
        with suppress(Exception):
            # An object that stands for another may raise whatever it likes.
            pending += [(each, depth + 1) for each in _next(current)]


def _next(current: Any) -> Iterator[object]:
    kind = type(current)
    if kind is partial:
        yield current.func
    elif kind is MethodType:
        yield current.__self__
        yield current.__func__
    elif kind is FunctionType:
        # Not what a library's own functions know: that would be nearly everything.
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
    """The attributes that a function uses, and the name of a method."""
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
