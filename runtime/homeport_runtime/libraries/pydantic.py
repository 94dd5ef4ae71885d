"""Defers building the Pydantic models of packages until their first use: an MCP SDK has hundreds, and a call needs few.

It does what pydantic's own setting `defer_build` does, for the classes that are defined while it is on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from types import ModuleType

# Since this version two threads may use the same model for the first time (pydantic, pull request 13438).
SAFE_SINCE = (2, 14)


class DeferredModels:
    """Defers new models while a package's module is executed; the user's own are built at once."""

    def __init__(self) -> None:
        self._depth = 0

    def execute(self, execute: Callable[[ModuleType], None], module: ModuleType) -> None:
        self._depth += 1
        _defer(True)
        try:
            execute(module)
        finally:
            self._depth -= 1
            # This may also turn it on, if this module has imported pydantic.
            _defer(self._depth > 0)


def _defer(on: bool) -> None:
    """Changes the settings of pydantic's own base class, which every model inherits."""
    main = sys.modules.get("pydantic.main")
    if main is None or not hasattr(main, "create_model"):
        return
    if not _is_safe(sys.modules["pydantic.version"].VERSION):
        return
    if on:
        main.BaseModel.model_config["defer_build"] = True
    else:
        main.BaseModel.model_config.pop("defer_build", None)


@cache
def _is_safe(version: str) -> bool:
    """Tells whether this version can defer; cached, since a cold start asks twice for each module."""
    return tuple(int(part) for part in version.split(".")[:2]) >= SAFE_SINCE
