"""Serves fastmcp 2, 3 and 4, which have the same class name and make an app in the same way, with small differences."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from ..asgi import ASGIApp
from ..libraries.fastmcp import import_for_first_call, leave_names_to_the_guard, set_options
from ..libraries.mcp import know_tool_schemas, lowlevel_of, seal_request_state, speaks_modern
from .base import Given, ServeOptions, class_names, known_arguments
from .exits import contain_exits
from .failures import watch_failures
from .tool_schemas import ToolSchemas


class FastMCPServer:
    kind = "fastmcp"

    @classmethod
    def infer(cls, candidate: object) -> bool:
        return "fastmcp.server.server.FastMCP" in class_names(candidate)

    def __init__(self, server: Any, options: ServeOptions) -> None:
        lowlevel = lowlevel_of(server)
        contain_exits(lowlevel)
        watch_failures(server, lowlevel)
        is_modern = speaks_modern(lowlevel)
        given = options.given
        leave_names_to_the_guard()
        self.http = _http_app(server, given, stateless=not options.sessions)
        self._stateless = self.http
        if options.sessions and not is_modern:
            self._stateless = _http_app(server, given, stateless=True)
        self.stateless = None if is_modern else self._stateless
        # Middleware may depend on the path, so no stream may be served without it.
        self.sse: ASGIApp | None = None if given.middleware else server.http_app(path="/sse", transport="sse")
        self._schemas = ToolSchemas()
        if is_modern:
            seal_request_state(lowlevel, options.state_key, server.name)
            know_tool_schemas(lowlevel, self._schemas.lookup)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        # Each app's lifespan enters the server's own, which happens once, so entering one serves HTTP+SSE too.
        async with AsyncExitStack() as stack:
            for app in dict.fromkeys((self.http, self._stateless)):
                await stack.enter_async_context(app.router.lifespan_context(app))
            yield

    def learn_tools(self, tools: Sequence[Mapping[str, Any]]) -> None:
        self._schemas.learn(tools)
        import_for_first_call()


def _http_app(server: Any, given: Given, *, stateless: bool) -> Any:
    """Returns the app with the program's options; else the server's own settings decide whether it answers in JSON."""
    options: dict[str, Any] = {"stateless_http": stateless}
    if given.json_response is not None:
        options["json_response"] = given.json_response
    set_options(server, **options)
    if given.middleware:
        options["middleware"] = list(given.middleware)
    return server.http_app(path=_path(given), **known_arguments(server.http_app, **options))


def _path(given: Given) -> str:
    """Returns the app's own path, which is kept because middleware may depend on it."""
    if given.transport == "sse" and given.middleware:
        return given.path or "/sse"
    return given.path or "/mcp" if given.transport == "http" else "/mcp"
