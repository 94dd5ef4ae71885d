"""Measures what importing a server costs: seconds by top-level package, and the modules that were loaded in the end."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.machinery import ExtensionFileLoader, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

# Executes a module's code; its arguments are the loader and the module.
ExecModule = Callable[[Any, ModuleType], None]


@contextmanager
def around_imports(wrap: Callable[[ExecModule], ExecModule]) -> Iterator[None]:
    """Wraps, while entered, the function that executes each imported module in what `wrap` returns."""
    loaders: tuple[Any, ...] = (SourceFileLoader, ExtensionFileLoader)
    originals = [loader.exec_module for loader in loaders]
    for loader, original in zip(loaders, originals, strict=True):
        loader.exec_module = wrap(original)
    try:
        yield
    finally:
        for loader, original in zip(loaders, originals, strict=True):
            loader.exec_module = original


class ImportProfile:
    """Measures the execution of each module, without the imports within it."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._nested: list[float] = []

    def measure(self) -> AbstractContextManager[None]:
        return around_imports(self._timed)

    def _timed(self, original: ExecModule) -> ExecModule:
        def exec_module(loader: Any, module: ModuleType) -> None:
            package = module.__name__.partition(".")[0]
            started = time.perf_counter()
            self._nested.append(0.0)
            try:
                original(loader, module)
            finally:
                total = time.perf_counter() - started
                own = total - self._nested.pop()
                self._seconds[package] = self._seconds.get(package, 0.0) + own
                if self._nested:
                    self._nested[-1] += total

        return exec_module

    def slowest(self, count: int = 10) -> list[dict[str, Any]]:
        ranked = sorted(self._seconds.items(), key=lambda item: -item[1])[:count]
        return [{"package": package, "seconds": round(seconds, 4)} for package, seconds in ranked]

    def total(self) -> float:
        return round(sum(self._seconds.values()), 4)


# There is one per process: what a zygote has imported is part of the profile of the workers it forks.
PROFILE = ImportProfile()


def loaded_modules(app: Path) -> list[str]:
    """Returns the loaded modules that a fresh process can import beforehand for any server of this layer.

    It omits the app's and the runtime's own modules, and those that an import hook (such as beartype's) has not loaded
    from their files as they are, since the hook would have to be installed before.
    """
    names = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        spec = getattr(module, "__spec__", None)
        if not file or spec is None or spec.name != name or name.partition(".")[0] in ("homeport_runtime", "__main__"):
            continue
        if type(spec.loader) not in (SourceFileLoader, ExtensionFileLoader) and not _unchanged(name):
            continue
        if not str(getattr(spec, "origin", "")).startswith(f"{app}/"):
            names.append(name)
    return names


def _unchanged(name: str) -> bool:
    """Tells whether the module's import hook leaves it as it is: key_value's does, unless the user turns it on."""
    return name.startswith("key_value.") and os.environ.get("PY_KEY_VALUE_DISABLE_BEARTYPE") == "true"
