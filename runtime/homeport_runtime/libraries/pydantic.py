"""Pydantic models of packages, built when they are first used: an MCP SDK has hundreds, and a call needs a few of them.

It is what pydantic's own setting `defer_build` does, for the classes that are made while it is on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from types import ModuleType

# From this version on two threads may use the same model for the first time (pydantic, pull request 13438).
SAFE_SINCE = (2, 14)


class DeferredModels:
    """While a package's module is executed, new models are deferred. The user's own are built at once, as ever."""

    def __init__(self) -> None:
        self._depth = 0

    def execute(self, execute: Callable[[ModuleType], None], module: ModuleType) -> None:
        self._depth += 1
        _defer(True)
        try:
            execute(module)
        finally:
            self._depth -= 1
            # Also True: it may be this module that has imported pydantic.
            _defer(self._depth > 0)


def _defer(on: bool) -> None:
    """Every model inherits the settings of pydantic's own."""
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
    """Asked twice for each module that a cold start imports."""
    return tuple(int(part) for part in version.split(".")[:2]) >= SAFE_SINCE
