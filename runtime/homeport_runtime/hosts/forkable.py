"""Modules that a zygote leaves out: a fork copies one thread only, so what starts others on import is lost in it.

Not those of a library that ends its threads before a fork and starts them again on demand (pthread_atfork(3)), as
OpenBLAS does, which comes with numpy.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from ..loading.import_profile import ExecModule, around_imports

# Seconds that the kernel may take to remove a thread that was joined.
SETTLE_S = 0.2


# jemalloc's own thread, which gives memory back to the system and has nothing to do in a fork: that goes without
# (jemalloc, src/background_thread.c, background_thread_postfork_child). pyarrow comes with it.
BENIGN = "jemalloc_bg_thd"


def threads() -> int:
    """The threads of this process that a fork would miss, those of C libraries included, and the one that forks."""
    try:
        names = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
    except OSError:
        # Not Linux, or a thread has just ended.
        return 1 if not Path("/proc/self/task").exists() else threads()
    return len(names) - names.count(BENIGN)


def lasting_threads(before: int = 1) -> int:
    """The threads that a fork leaves, found by a fork where there are more than `before`."""
    if threads() > before:
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        deadline = time.monotonic() + SETTLE_S
        while threads() > before and time.monotonic() < deadline:
            time.sleep(0.001)
    return threads()


class ThreadWatch:
    """Finds the module whose own code started a thread that a fork leaves: `offender`, None if there is none."""

    def __init__(self) -> None:
        self.offender: str | None = None

    def watching(self) -> AbstractContextManager[None]:
        return around_imports(self._watched)

    def _watched(self, original: ExecModule) -> ExecModule:
        def exec_module(loader: Any, module: ModuleType) -> None:
            before = threads()
            try:
                original(loader, module)
            finally:
                # The innermost module is done first: those around it see a thread that was there already.
                if self.offender is None and lasting_threads(before) > before:
                    self.offender = module.__name__

        return exec_module


class LeftOut(BaseException):
    """Nobody takes it for a package that is not installed: what would go on without it would have to do so for ever."""


class Blocked(MetaPathFinder):
    """While entered, the modules called `names` cannot be imported: what wants them is left to the workers."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)

    def __enter__(self) -> Blocked:
        sys.meta_path.insert(0, self)
        return self

    def __exit__(self, *_error: object) -> None:
        sys.meta_path.remove(self)

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if fullname in self._names:
            raise LeftOut(f"{fullname} starts threads")
        return None
