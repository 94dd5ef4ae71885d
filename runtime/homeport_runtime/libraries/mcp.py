"""Uses internals of mcp 1.x and 2.x: the low-level server within a server, and what is replaced in it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from importlib.util import find_spec
from typing import Any
from weakref import WeakSet

from .gaps import record_gap

# Returns the key (32 bytes) when something is sealed or opened, which few servers do.
StateKey = Callable[[], bytes]
Handler = Callable[..., Awaitable[Any]]


def lowlevel_of(server: Any) -> Any:
    """Returns the low-level server of a FastMCP (mcp 1.x, fastmcp) or an MCPServer; `server` itself if it is one."""
    for name in ("_mcp_server", "_lowlevel_server"):
        if hasattr(server, name):
            return getattr(server, name)
    return server


def speaks_modern(lowlevel: Any) -> bool:
    """Tells whether a server answers protocol 2026-07-28 itself, as mcp 2.x does."""
    return hasattr(lowlevel, "streamable_http_app")


def has_streamable_http() -> bool:
    """Tells whether this mcp has streamable HTTP, which is so from 1.8 on."""
    return find_spec("mcp.server.streamable_http_manager") is not None


def has_auth(server: Any) -> bool:
    """Tells whether a FastMCP of mcp 1.x authenticates its callers."""
    settings = getattr(server, "settings", None)
    return bool(getattr(settings, "auth", None) or getattr(server, "_auth_server_provider", None))


def change_settings(settings: Any, **changes: Any) -> None:
    """Changes those of the settings that this release of the SDK has."""
    for name, value in changes.items():
        if hasattr(settings, name):
            setattr(settings, name, value)


def forget_app(server: Any) -> None:
    """Lets a FastMCP of mcp 1.x make its next app with its present settings."""
    server._session_manager = None


def settle_version(lowlevel: Any) -> None:
    """Sets the version of a server that has none to the SDK's.

    The SDK would look it up among the installed packages for each session, which in stateless mode is each request.
    """
    if not lowlevel.version:
        lowlevel.version = lowlevel.create_initialization_options().server_version


def say_of_itself(lowlevel: Any, initialization: Any) -> None:
    """Makes `initialization` the server's answer to initialize."""
    lowlevel.create_initialization_options = lambda *_args, **_kwargs: initialization


@asynccontextmanager
async def shared_lifespan(lowlevel: Any) -> AsyncIterator[None]:
    """Enters the server's own lifespan once and gives its state to everything that would enter it again.

    mcp 1.x enters the lifespan for each session, which in stateless mode is each request; mcp 2.x for each HTTP+SSE
    connection.
    """
    original: Callable[[Any], AbstractAsyncContextManager[Any]] = lowlevel.lifespan
    async with original(lowlevel) as state:

        @asynccontextmanager
        async def shared(_server: Any) -> AsyncIterator[Any]:
            yield state

        lowlevel.lifespan = shared
        try:
            yield
        finally:
            lowlevel.lifespan = original


def wrap_handlers(lowlevel: Any, middleware: Any, wrap: Callable[[Handler], Handler]) -> None:
    """Puts `middleware` (mcp 2.x), or what `wrap` makes of each handler (mcp 1.x), inside all other middleware.

    In mcp 1.x this does not affect handlers that are registered later.
    """
    if hasattr(lowlevel, "middleware"):
        lowlevel.middleware.append(middleware)
        return
    for kind, handler in lowlevel.request_handlers.items():
        lowlevel.request_handlers[kind] = wrap(handler)


def watch_tool_errors(lowlevel: Any, watch: Callable[[], None]) -> None:
    """Calls `watch` while mcp 1.x makes an answer of a tool's exception; other versions log it themselves."""
    make: Callable[[str], Any] | None = getattr(lowlevel, "_make_error_result", None)
    if make is None:
        return

    def make_watched(error_message: str) -> Any:
        watch()
        return make(error_message)

    lowlevel._make_error_result = make_watched


def watch_tool_calls(server: Any, lowlevel: Any, wrap: Callable[[Handler], Handler]) -> None:
    """Replaces an MCPServer's `call_tool` (mcp 2.x) by what `wrap` makes of it: its handler turns exceptions into
    answers before its middleware could see them.
    """
    if server is not lowlevel and speaks_modern(lowlevel) and type(server).__name__ == "MCPServer":
        server.call_tool = wrap(server.call_tool)


def server_of(lowlevel: Any) -> Any:
    """Returns the FastMCP (fastmcp) or MCPServer that has made a low-level server; `lowlevel` itself if none has."""
    reference = getattr(lowlevel, "_fastmcp_ref", None)
    if reference is not None:
        return reference() or lowlevel
    entry = lowlevel.get_request_handler("tools/list") if hasattr(lowlevel, "get_request_handler") else None
    owner = getattr(getattr(entry, "handler", None), "__self__", None)
    return owner if lowlevel_of(owner) is lowlevel else lowlevel


def watch_session_managers(watch: Callable[[Any], None]) -> None:
    """Calls `watch` with the low-level server of each session manager (mcp 1.8 and later) that starts, once."""
    managers = sys.modules.get("mcp.server.streamable_http_manager")
    kind = getattr(managers, "StreamableHTTPSessionManager", None)
    if kind is None:
        return
    run, watched = kind.run, WeakSet[Any]()

    def run_watched(manager: Any) -> Any:
        if manager.app not in watched:
            watched.add(manager.app)
            watch(manager.app)
        return run(manager)

    kind.run = run_watched


def know_tool_schemas(lowlevel: Any, lookup: Callable[[str], Mapping[str, Any] | None]) -> None:
    """Lets mcp 2.x find a tool's input schema by `lookup`, unless the server has an answer of its own."""
    if getattr(lowlevel, "get_tool_input_schema", "not yet") is None:
        lowlevel.get_tool_input_schema = lookup


def leave_names_to_the_guard() -> None:
    """Turns off the SDK's check of Host and Origin, which would answer 421 to the deployment's real names.

    An SDK app that was made without a host allows localhost only, and the guard has checked both before the app gets a
    request. The check may have moved in a newer version, so an inspection tests that none is left (app.py).
    """
    security = getattr(sys.modules.get("mcp.server.transport_security"), "TransportSecurityMiddleware", None)
    if security is not None:
        security._validate_host = lambda _self, _host: True
        security._validate_origin = lambda _self, _origin: True


def seal_request_state(lowlevel: Any, key: StateKey | None, audience: str | None = None) -> None:
    """Seals requestState with one key for every worker of a project; None leaves each process its own key.

    A server of protocol 2026-07-28 that needs more input gives the client a sealed `requestState`; the client sends it
    back with its answers. mcp 2.x seals with a key of the process unless it gets one, so that another worker would
    refuse the retry with -32602. So the boundary in the server's middleware is replaced by one with the project's key.
    """
    boundary, security = _state_boundary()
    places = [index for index, each in enumerate(lowlevel.middleware) if boundary and isinstance(each, boundary)]
    # A low-level server has one only if its program has added it.
    if not places and audience is not None:
        record_gap(
            "mcp",
            "the boundary that seals requestState",
            "with several workers, or after a redeploy, a client's answer to the server's question may be refused",
        )
    if key is None:
        return
    for index in places:
        sealed = security(codec=_SharedCodec(key))
        lowlevel.middleware[index] = boundary(sealed, default_audience=audience or lowlevel.name)


def _state_boundary() -> tuple[Any, Any]:
    """Returns the SDK's classes, None for both if they do not exist."""
    try:
        from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
    except ImportError:
        return None, None
    return RequestStateBoundary, RequestStateSecurity


class _SharedCodec:
    """Is the SDK's own codec, with the key of the moment."""

    def __init__(self, key: StateKey) -> None:
        self._key = key

    def seal(self, payload: bytes) -> str:
        sealed: str = self._codec().seal(payload)
        return sealed

    def unseal(self, token: str) -> bytes:
        """Returns the payload of a token.

        Raises mcp's InvalidRequestState if it was sealed with another key.
        """
        payload: bytes = self._codec().unseal(token)
        return payload

    def _codec(self) -> Any:
        from mcp.server.request_state import AESGCMRequestStateCodec

        return AESGCMRequestStateCodec([self._key()])


def session_message() -> Callable[[Any], Any] | None:
    """Returns what wraps each message on a server's streams: mcp 1.8 and later have SessionMessage, 1.4.0 has its own
    frame.
    """
    try:
        from mcp.shared.message import SessionMessage
    except ImportError:
        from mcp import types

        frame = getattr(types, "MessageFrame", None)
        return partial(_framed, frame) if frame else None
    return SessionMessage  # type: ignore[no-any-return]


def _framed(frame: Any, message: Any) -> Any:
    return frame(message=message, raw=None)
