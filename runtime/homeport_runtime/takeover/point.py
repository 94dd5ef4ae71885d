"""The point at which a program starts to serve: its transport's place is taken by whoever runs the program."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from ..servers.base import Given

# Seconds between looks whether the server that was first has ended.
LOOK_S = 0.2

Take = Callable[[object, Given], Awaitable[None]]


class Takeover:
    """Serves the first server that the program would serve, by `take`, in this process alone: processes that the
    program forks serve as they would.
    """

    _begun: ClassVar[Takeover | None] = None

    def __init__(self, take: Take) -> None:
        self._take = take
        self._process = os.getpid()
        # The program's own: it has the main thread, but where something else runs homeport.
        self.thread = threading.get_ident()
        self._begin = threading.Lock()
        self._ended = threading.Event()

    @property
    def taken(self) -> bool:
        """Whether the program has come to serve."""
        return self._begin.locked()

    @classmethod
    def begin(cls, take: Take) -> Takeover:
        """From now on servers that start in this process are served by `take`."""
        cls._begun = cls(take)
        return cls._begun

    @classmethod
    def current(cls) -> Takeover | None:
        """None where a transport does what it always does."""
        begun = cls._begun
        return begun if begun is not None and begun._process == os.getpid() else None

    async def serve(self, server: object, given: Given) -> None:
        """Returns when serving has ended, as the transport would: the program then cleans up and ends.

        Of several servers in one program the first is served; the others are there for as long. A program that serves
        again when it has ended is ended itself.
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
    """The program uses a transport in a way whose place cannot be taken, or becomes a program that can be no part of
    this process.
    """

    @classmethod
    def is_in(cls, error: BaseException | None) -> bool:
        """Whether it is what `error` is about: the cause, or one of a group."""
        if error is None or isinstance(error, cls):
            return error is not None
        members = getattr(error, "exceptions", ())
        return any(map(cls.is_in, (error.__cause__, error.__context__, *members)))


class StandIn:
    """What a program gets for a transport's stream. Only to hand it to a server makes sense."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotServable(f"the program uses {name} of its stdio streams itself")

    async def __aenter__(self) -> Any:
        raise NotServable("the program reads and writes its stdio streams itself")

    async def __aexit__(self, *_error: object) -> None:
        """Never entered."""

    def __aiter__(self) -> Any:
        raise NotServable("the program reads its stdio streams itself")
