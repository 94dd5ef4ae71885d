"""Finds modules that a zygote must not import: a fork copies one thread only, so threads that they start would be lost.

A library may end its threads before a fork and start them again on demand (pthread_atfork(3)), as numpy's OpenBLAS
does; its modules can be imported.
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

# The seconds that the kernel may take to remove a thread that was joined.
SETTLE_S = 0.2


# jemalloc's own thread returns memory to the system, which a fork can do without (jemalloc, src/background_thread.c,
# background_thread_postfork_child). pyarrow contains it.
BENIGN = "jemalloc_bg_thd"


def threads() -> int:
    """Counts the threads that a fork would lose, including those of C libraries, and the one that forks."""
    try:
        names = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
    except OSError:
        # Either this is not Linux, or a thread has just ended.
        return 1 if not Path("/proc/self/task").exists() else threads()
    return len(names) - names.count(BENIGN)


def lasting_threads(before: int = 1) -> int:
    """Counts the threads that remain after a fork, which is tried if there are more than `before`."""
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
    """Finds the module whose own code started a lasting thread: `offender`, None if there is none."""

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
                # The innermost module is finished first: those around it find the thread existing before and after.
                if self.offender is None and lasting_threads(before) > before:
                    self.offender = module.__name__

        return exec_module


class LeftOut(BaseException):
    """Stops an import in a way that no code takes for a missing package, which it would then do without for ever."""


class Blocked(MetaPathFinder):
    """Prevents, while entered, the import of the modules `names`, which workers import themselves."""

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
