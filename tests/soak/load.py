"""Runs many clients that ask until they are told to stop: each answer is checked, and each request that is lost is
told.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .clients import Opened

PAUSE_S = 0.05
# The seconds that a stopped load has to come to its end, one answer included.
END_S = 90.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Is a client of the kind `kind`, of the project at `url`."""

    kind: str
    url: str
    opened: Opened


@dataclass(frozen=True, slots=True)
class Lost:
    """Is a request without its answer; the times are of the monotonic clock. `opened` is when the client connected."""

    kind: str
    opened: float
    begun: float
    ended: float
    reason: str


@dataclass
class Load:
    """Runs the clients; `pause` gives the seconds between two requests of one client. It is a context manager.

    `answered` and `closed` count by kind: answers, and streams that the server ended while nothing was asked on them.
    `lives` are those of the workers that answered, each with its project's URL.
    """

    callers: Sequence[Caller]
    pause: Callable[[], float] = lambda: PAUSE_S
    answered: Counter[str] = field(default_factory=Counter)
    closed: Counter[str] = field(default_factory=Counter)
    lost: list[Lost] = field(default_factory=list)
    lives: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._stopped = False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="load", daemon=True)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopped = True
        self._thread.join(END_S)

    async def _run(self) -> None:
        await asyncio.gather(*(self._client(caller, number) for number, caller in enumerate(self.callers, 1)))

    async def _client(self, caller: Caller, number: int) -> None:
        asked = 0
        while not self._stopped:
            opened = begun = time.monotonic()
            try:
                async with caller.opened(caller.url) as ask:
                    while not self._stopped:
                        asked += 1
                        begun = time.monotonic()
                        if (text := await ask(number * 1_000_000, asked)) is None:
                            self.closed[caller.kind] += 1
                            break
                        self._check(caller, text, number * 1_000_000 + asked)
                        await asyncio.sleep(self.pause())
            except Exception as error:
                self.lost.append(Lost(caller.kind, opened, begun, time.monotonic(), reason(error)))
                await asyncio.sleep(self.pause())

    def _check(self, caller: Caller, text: str, expected: int) -> None:
        total, _, life = text.partition(" ")
        if total != str(expected):
            raise ValueError(f"the answer is {total} and not {expected}")
        self.answered[caller.kind] += 1
        self.lives.add((caller.url, life))


def reason(error: BaseException) -> str:
    """Returns the first of what a group of exceptions is made of."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return repr(error)
