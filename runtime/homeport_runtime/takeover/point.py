"""Defines the point at which a program starts to serve, where its host serves in the transport's place."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from ..servers.base import Given

# The seconds between checks whether the first server has ended.
LOOK_S = 0.2

Take = Callable[[object, Given], Awaitable[None]]


class Takeover:
    """Serves the first server that the program would serve, by `take`, in this process alone.

    Processes that the program forks serve as they would without a takeover.
    """

    _begun: ClassVar[Takeover | None] = None

    def __init__(self, take: Take) -> None:
        self._take = take
        self._process = os.getpid()
        # The thread of the program, which is the main thread unless homeport itself runs in another one.
        self.thread = threading.get_ident()
        self._begin = threading.Lock()
        self._ended = threading.Event()

    @property
    def taken(self) -> bool:
        """Tells whether the program has started to serve."""
        return self._begin.locked()

    @classmethod
    def begin(cls, take: Take) -> Takeover:
        """Makes `take` serve the servers that start in this process from now on."""
        cls._begun = cls(take)
        return cls._begun

    @classmethod
    def current(cls) -> Takeover | None:
        """Returns the takeover of this process, None if transports work as usual."""
        begun = cls._begun
        return begun if begun is not None and begun._process == os.getpid() else None

    async def serve(self, server: object, given: Given) -> None:
        """Serves, and returns when serving has ended, as the transport would: the program then cleans up and ends.

        Of several servers in one program only the first is served; the calls for the others wait until it ends. A
        program that serves again afterwards is ended by SystemExit.
        """
        if self._ended.is_set():
            raise SystemExit(0)
        if not self._begin.acquire(blocking=False):
            while not self._ended.is_set():
                await asyncio.sleep(LOOK_S)
            return
        try:
            await self._take(server, given)
        finally:
            self._ended.set()


class NotServable(Exception):
    """Is raised for a program that uses a transport in a way that cannot be taken over, or that calls exec before it
    serves.
    """

    @classmethod
    def is_in(cls, error: BaseException | None) -> bool:
        """Tells whether a NotServable is `error`, its cause or context, or a member of its group."""
        if error is None or isinstance(error, cls):
            return error is not None
        members = getattr(error, "exceptions", ())
        return any(map(cls.is_in, (error.__cause__, error.__context__, *members)))


class StandIn:
    """Stands in for a transport's stream, and raises NotServable for every use but handing it to a server."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotServable(f"the program uses {name} of its stdio streams itself")

    async def __aenter__(self) -> Any:
        raise NotServable("the program reads and writes its stdio streams itself")

    async def __aexit__(self, *_error: object) -> None:
        """Completes the protocol; it is never entered."""

    def __aiter__(self) -> Any:
        raise NotServable("the program reads its stdio streams itself")
