"""Supports servers that cannot run twice at a time, because of a lock (DuckDB, embedded Qdrant) or a fixed port."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Protocol, TypeVar

from ..errors import HomeportError

T = TypeVar("T")

# The messages of libraries and the system (errno(3)) when another process holds something.
_HELD = re.compile(
    r"address already in use|EADDRINUSE|\block(ed)?\b|already accessed|another instance|"
    r"resource temporarily unavailable|BlockingIOError",
    re.IGNORECASE,
)


class Pausable(Protocol):
    """Is a project's service, whose workers can pause."""

    @property
    def workers(self) -> int: ...

    def paused(self) -> AbstractAsyncContextManager[None]: ...


def is_exclusive(error: HomeportError) -> bool:
    """Tells whether a server's error says that another process holds something that it needs."""
    return _HELD.search(error.message) is not None


async def beside(
    services: Iterable[Pausable], work: Callable[[], Awaitable[T]], alone: Callable[[], Awaitable[T]] | None = None
) -> T:
    """Returns the result of `work`, and tries it again with the workers of `services` paused if they may be
    in its way: by `alone`, if that is something else, after which they go on.
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
        return await (alone or work)()
