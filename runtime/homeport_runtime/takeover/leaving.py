"""Holds back a program that leaves its process before it has served: such a program is run again, over stdio.

Packages whose server is a binary become it (exec), and some with an SDK of their own end at once (os._exit) when their
stdin has ended, as it has in a worker.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .point import NotServable, Takeover


@contextmanager
def held_back(takeover: Takeover) -> Iterator[None]:
    """Makes exec raise NotServable, and os._exit SystemExit, as long as `takeover` waits for the program to serve.

    All forms of exec lead to execv and execve. Processes that the program forks, and other threads, do as they like.
    """

    def stop(path: Any, *_arguments: Any) -> Any:
        raise NotServable(f"the program becomes another one: {os.fsdecode(path)}")

    def end(code: int) -> Any:
        raise SystemExit(code)

    replaced: dict[str, Callable[..., Any]] = {"execv": stop, "execve": stop, "_exit": end}
    originals = {name: getattr(os, name) for name in replaced}
    for name, instead in replaced.items():
        setattr(os, name, _unless_served(takeover, originals[name], instead))
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(os, name, original)


def _unless_served(takeover: Takeover, original: Callable[..., Any], instead: Callable[..., Any]) -> Callable[..., Any]:
    def chosen(*arguments: Any) -> Any:
        waits = Takeover.current() is takeover and not takeover.taken and threading.get_ident() == takeover.thread
        return (instead if waits else original)(*arguments)

    return chosen
