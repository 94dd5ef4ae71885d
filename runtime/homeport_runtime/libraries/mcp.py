"""What is known of mcp 1.x and 2.x from inside: the low-level server in a server, and what of it is replaced."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from importlib.util import find_spec
from typing import Any

from .gaps import record_gap

# Gives the key (32 bytes) when something is sealed or opened: few servers ever ask for it.
StateKey = Callable[[], bytes]
Handler = Callable[[Any], Awaitable[Any]]


def lowlevel_of(server: Any) -> Any:
    """The low-level server of a FastMCP (mcp 1.x, fastmcp) or an MCPServer; `server` itself if it is one."""
    for name in ("_mcp_server", "_lowlevel_server"):
        if hasattr(server, name):
            return getattr(server, name)
    return server


def speaks_modern(lowlevel: Any) -> bool:
    """Whether it answers protocol 2026-07-28 itself, as mcp 2.x does."""
    return hasattr(lowlevel, "streamable_http_app")


def has_streamable_http() -> bool:
    """Not before mcp 1.8."""
    return find_spec("mcp.server.streamable_http_manager") is not None


def has_auth(server: Any) -> bool:
    """Whether a FastMCP of mcp 1.x was told to check who calls."""
    settings = getattr(server, "settings", None)
    return bool(getattr(settings, "auth", None) or getattr(server, "_auth_server_provider", None))


def change_settings(settings: Any, **changes: Any) -> None:
    """Sets those of the settings that this release of the SDK has already."""
    for name, value in changes.items():
        if hasattr(settings, name):
            setattr(settings, name, value)


def forget_app(server: Any) -> None:
    """The next app of a FastMCP of mcp 1.x is made with its settings as they are then."""
    server._session_manager = None


def settle_version(lowlevel: Any) -> None:
    """A server without a version of its own has its SDK's, which the SDK would look up among the installed packages
    for each session: in stateless mode for each request.
    """
    if not lowlevel.version:
        lowlevel.version = lowlevel.create_initialization_options().server_version


def say_of_itself(lowlevel: Any, initialization: Any) -> None:
    """`initialization` is what the server answers to initialize from now on."""
    lowlevel.create_initialization_options = lambda *_args, **_kwargs: initialization


@asynccontextmanager
async def shared_lifespan(lowlevel: Any) -> AsyncIterator[None]:
    """Enters the server's own lifespan once and hands its state to everything that would enter it again.

    mcp 1.x enters the lifespan for each session, which in stateless mode is each request; mcp 2.x for each
    HTTP+SSE connection.
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
    """Puts `middleware` (mcp 2.x), or what `wrap` makes of each handler (mcp 1.x), next to the handlers: all other
    middleware is around it. Handlers that are registered later are left as they are by mcp 1.x.
    """
    if hasattr(lowlevel, "middleware"):
        lowlevel.middleware.append(middleware)
        return
    for kind, handler in lowlevel.request_handlers.items():
        lowlevel.request_handlers[kind] = wrap(handler)


def watch_tool_errors(lowlevel: Any, watch: Callable[[], None]) -> None:
    """`watch` is called while mcp 1.x makes an answer of what a tool has raised; other versions log it themselves."""
    make: Callable[[str], Any] | None = getattr(lowlevel, "_make_error_result", None)
    if make is None:
        return

    def make_watched(error_message: str) -> Any:
        watch()
        return make(error_message)

    lowlevel._make_error_result = make_watched


def know_tool_schemas(lowlevel: Any, lookup: Callable[[str], Mapping[str, Any] | None]) -> None:
    """mcp 2.x asks `lookup` for a tool's input schema, unless the server has an answer of its own."""
    if getattr(lowlevel, "get_tool_input_schema", "not yet") is None:
        lowlevel.get_tool_input_schema = lookup


def leave_names_to_the_guard() -> None:
    """An SDK app made without a host allows localhost only and answers 421 to the deployment's real names.

    The guard has compared Host and Origin with these names before the app sees a request. That no check is left, an
    inspection tries (app.py): it may have moved in a newer version.
    """
    security = getattr(sys.modules.get("mcp.server.transport_security"), "TransportSecurityMiddleware", None)
    if security is not None:
        security._validate_host = lambda _self, _host: True
        security._validate_origin = lambda _self, _origin: True


def seal_request_state(lowlevel: Any, key: StateKey | None, audience: str | None = None) -> None:
    """One key for the requestState of every worker of a project, None for one of this process alone.

    A server of protocol 2026-07-28 that needs more input gives the client a sealed `requestState`; the client sends it
    back with its answers. mcp 2.x seals with a key of the process unless it is told one, so that another worker refuses
    the retry with -32602: the boundary in the server's middleware is replaced by one with the project's key.
    """
    boundary, security = _state_boundary()
    places = [index for index, each in enumerate(lowlevel.middleware) if boundary and isinstance(each, boundary)]
    # A low-level server has one only where its program has put it.
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
    """The SDK's classes, None where they are not."""
    try:
        from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
    except ImportError:
        return None, None
    return RequestStateBoundary, RequestStateSecurity


class _SharedCodec:
    """The SDK's own codec, under the key as it is at that moment."""

    def __init__(self, key: StateKey) -> None:
        self._key = key

    def seal(self, payload: bytes) -> str:
        sealed: str = self._codec().seal(payload)
        return sealed

    def unseal(self, token: str) -> bytes:
        """Raises mcp's InvalidRequestState."""
        payload: bytes = self._codec().unseal(token)
        return payload

    def _codec(self) -> Any:
        from mcp.server.request_state import AESGCMRequestStateCodec

        return AESGCMRequestStateCodec([self._key()])


def session_message() -> Callable[[Any], Any] | None:
    """What mcp 1.8 and later wrap each message into on a server's streams, and 1.4.0 alone before them."""
    try:
        from mcp.shared.message import SessionMessage
    except ImportError:
        from mcp import types

        frame = getattr(types, "MessageFrame", None)
        return partial(_framed, frame) if frame else None
    return SessionMessage  # type: ignore[no-any-return]


def _framed(frame: Any, message: Any) -> Any:
    return frame(message=message, raw=None)
