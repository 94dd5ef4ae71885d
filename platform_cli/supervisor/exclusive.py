"""Servers of which one alone can run: they hold a lock (DuckDB, embedded Qdrant) or listen on a fixed port."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Protocol, TypeVar

from ..errors import HomeportError

T = TypeVar("T")

# What libraries and the system (errno(3)) say when another process has what they need.
_HELD = re.compile(
    r"address already in use|EADDRINUSE|\block(ed)?\b|already accessed|another instance|"
    r"resource temporarily unavailable|BlockingIOError",
    re.IGNORECASE,
)


class Pausable(Protocol):
    """Workers that can make room: a project's service."""

    @property
    def workers(self) -> int: ...

    def paused(self) -> AbstractAsyncContextManager[None]: ...


def is_exclusive(error: HomeportError) -> bool:
    """Whether a server failed, as far as its words tell, because another process holds what it needs."""
    return _HELD.search(error.message) is not None


async def beside(services: Iterable[Pausable], work: Callable[[], Awaitable[T]]) -> T:
    """What `work` answers. Where it fails because workers of `services` may hold what it needs, they pause for a second
    try.
    """
    try:
        return await work()
    except HomeportError as error:
        running = [service for service in services if service.workers]
        if not running or not is_exclusive(error):
            raise
    async with AsyncExitStack() as pauses:
        for service in running:
            await pauses.enter_async_context(service.paused())
        return await work()
