"""Uses internals of fastmcp 2, 3 and 4, whose low-level server is mcp's."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from .mcp import change_settings

# The modules that the first tools/call imports: in fastmcp 3 before it, in fastmcp 4 after it.
FIRST_CALL_MODULES = (
    "fastmcp.server.tasks.handlers",
    "fastmcp.server.tasks.routing",
    "fastmcp.server.providers.prefab_payload",
)

# Where FastMCP keeps what its property `_state_store` returns: a private attribute of that class.
STATE_STORE = "_FastMCP__state_store"


def import_for_first_call() -> None:
    """Imports those of the modules that this release has."""
    for name in FIRST_CALL_MODULES:
        with suppress(ImportError):
            importlib.import_module(name)


class UnusedState:
    """Answers what is read of the state of sessions while nothing was stored, which is all that most calls do with it.

    The store of fastmcp 4 imports 400 modules, a tenth of what a server's first call takes.
    """

    def __init__(self, server: Any) -> None:
        self._server = server

    async def get(self, key: str, **more: Any) -> Any:
        store = self._server._state_store
        return None if store is self else await store.get(key, **more)

    def __getattr__(self, name: str) -> Any:
        """Returns the attribute of the server's own store, which is there from now on."""
        if self._server._state_store is self:
            setattr(self._server, STATE_STORE, None)
        return getattr(self._server._state_store, name)


def defer_state(server: Any) -> None:
    """Lets fastmcp 4 make its store of sessions' state when something is stored; a store of the user's own stays."""
    if getattr(server, STATE_STORE, "not there") is None and getattr(server, "_state_storage", "not there") is None:
        setattr(server, STATE_STORE, UnusedState(server))


def set_options(server: Any, **options: Any) -> None:
    """Sets the options of `http_app` as settings, which they are before fastmcp 2.8; 2.8.0 ignores its arguments."""
    for name in ("settings", "_deprecated_settings"):
        if name in vars(server):
            change_settings(vars(server)[name], **options)


def leave_names_to_the_guard() -> None:
    """Turns off the check of Host and Origin that fastmcp 4.2 and later have of their own, as mcp's (mcp.py), and which
    knows localhost only where a program has set `http_host_origin_protection` without its hosts.
    """
    guard = getattr(sys.modules.get("fastmcp.server.http"), "HostOriginGuardMiddleware", None)
    if guard is not None:
        guard._should_validate_host = lambda _self, _scope: False
        guard._should_validate_origin = lambda _self, _scope, _host: False


def put_first(server: Any, middleware: Callable[[Any, Any], Awaitable[Any]]) -> None:
    """Puts `middleware`, which gets a context and what to call with it, before all other middleware of a FastMCP of
    fastmcp 2.9 or later; other servers have none.
    """
    chain = getattr(server, "middleware", None)
    if not isinstance(chain, list) or not hasattr(server, "add_middleware"):
        return
    from fastmcp.server.middleware import Middleware

    class First(Middleware):  # type: ignore[misc]
        async def __call__(self, context: Any, call_next: Any) -> Any:
            return await middleware(context, call_next)

    chain.insert(0, First())
