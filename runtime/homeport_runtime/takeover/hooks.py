"""Calls functions with a module as soon as it has been imported, whoever imports it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

Hook = Callable[[Any], None]


class Hooks(MetaPathFinder):
    """Calls `hooks[name]` once with the module of that name: at once if it is imported, otherwise after its import."""

    def __init__(self, hooks: Mapping[str, Hook]) -> None:
        self._hooks = dict(hooks)

    def install(self) -> None:
        for name in list(self._hooks):
            if name in sys.modules:
                self._hooks.pop(name)(sys.modules[name])
        sys.meta_path.insert(0, self)

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        hook = self._hooks.get(fullname)
        if hook is None:
            return None
        # The remaining finders find the module under its own name.
        del self._hooks[fullname]
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._hooks[fullname] = hook
        if spec is not None and spec.loader is not None:
            spec.loader = _Hooked(spec.loader, lambda module: self._call(fullname, module))
        return spec

    def _call(self, name: str, module: ModuleType) -> None:
        hook = self._hooks.pop(name, None)
        if hook is not None:
            hook(module)


class _Hooked(Loader):
    """Loads modules as `loader` does, and calls `executed` with each module that it has executed."""

    def __init__(self, loader: Loader, executed: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._executed = executed

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # The module sees its usual loader.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._executed(module)
