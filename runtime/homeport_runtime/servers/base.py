"""What every kind of server is turned into."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from ..asgi import ASGIApp
from ..libraries.mcp import StateKey


@dataclass(frozen=True)
class Given:
    """What a program said of how its server is to be served, None where it said nothing.

    `transport` is `stdio`, `http`, `sse`, or `app` for an ASGI app; `path` is where it would answer; `middleware` are
    Starlette's, around the app; `initialization` is what a low-level server answers to initialize.
    """

    transport: str = "stdio"
    path: str | None = None
    stateless: bool | None = None
    json_response: bool | None = None
    middleware: tuple[Any, ...] = ()
    initialization: Any = None


@dataclass(frozen=True)
class ServeOptions:
    """How a server is served: `sessions` keeps state per client; `state_key` gives the key that seals what travels
    through clients, the same for all workers of a project; None makes one for this process alone. `given` is the
    program's.
    """

    sessions: bool = False
    state_key: StateKey | None = None
    given: Given = Given()


class ServerAdapter(Protocol):
    """One kind of server. `http` answers /mcp and every path that is not ours, `sse` answers /sse and /messages/, None
    where that is to go through `http`.

    `stateless` is /mcp without sessions for a server of the older era, onto which protocol 2026-07-28 is translated;
    None for a server that speaks it. `lifespan` is entered once per process, before the first request.
    """

    kind: str
    http: ASGIApp
    stateless: ASGIApp | None
    sse: ASGIApp | None

    def lifespan(self) -> AbstractAsyncContextManager[None]: ...

    def learn_tools(self, tools: Sequence[Mapping[str, Any]]) -> None:
        """Told once, after warming up, what tools/list answered."""


def class_names(candidate: object) -> tuple[str, ...]:
    """The qualified names along the MRO: a kind is recognised by these, so that nothing has to be imported."""
    return tuple(f"{cls.__module__}.{cls.__qualname__}" for cls in type(candidate).__mro__)


def known_arguments(function: Callable[..., Any], **arguments: Any) -> dict[str, Any]:
    """Those of the arguments that this release of the SDK's function takes already; a function of the user's own may
    hand on whatever it gets.
    """
    parameters = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return arguments
    return {name: value for name, value in arguments.items() if name in parameters}
