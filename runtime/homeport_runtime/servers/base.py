"""Defines the adapter into which every kind of server is turned."""

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
    """Holds the options with which a program would serve, None where it gave none.

    `transport` is `stdio`, `http`, `sse`, or `app` for an ASGI app. `path` is where it would answer. `middleware` is
    Starlette's, around the app. `initialization` is a low-level server's answer to initialize.
    """

    transport: str = "stdio"
    path: str | None = None
    stateless: bool | None = None
    json_response: bool | None = None
    middleware: tuple[Any, ...] = ()
    initialization: Any = None


@dataclass(frozen=True)
class ServeOptions:
    """Says how a server is served.

    `sessions` keeps state per client. `state_key` returns the key that seals what travels through clients, the same for
    all workers of a project; None uses a key of this process. `given` are the program's options.
    """

    sessions: bool = False
    state_key: StateKey | None = None
    given: Given = Given()


class ServerAdapter(Protocol):
    """Serves one kind of server.

    `http` answers /mcp and every path that is not homeport's own. `sse` answers /sse and /messages/; None lets `http`
    answer these. `stateless` is /mcp without sessions for a server of the older era, for which protocol 2026-07-28 is
    translated; None for a server that speaks it. `lifespan` is entered once per process, before the first request.
    """

    kind: str
    http: ASGIApp
    stateless: ASGIApp | None
    sse: ASGIApp | None

    def lifespan(self) -> AbstractAsyncContextManager[None]: ...

    def learn_tools(self, tools: Sequence[Mapping[str, Any]]) -> None:
        """Receives once, after warming up, the tools that tools/list has returned."""


def class_names(candidate: object) -> tuple[str, ...]:
    """Returns the qualified names along the MRO, by which a kind is recognised without importing anything."""
    return tuple(f"{cls.__module__}.{cls.__qualname__}" for cls in type(candidate).__mro__)


def known_arguments(function: Callable[..., Any], **arguments: Any) -> dict[str, Any]:
    """Returns those of the arguments that this release of the SDK's function accepts.

    A function with `**kwargs` may pass all of them on.
    """
    parameters = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return arguments
    return {name: value for name, value in arguments.items() if name in parameters}
