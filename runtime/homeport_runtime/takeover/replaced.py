"""Intercepts a program that replaces itself by exec, as packages do whose server is a binary of theirs."""

from __future__ import annotations

import os
from functools import wraps
from typing import Any

from .point import NotServable, Takeover


def install() -> None:
    """Patches the two functions that all forms of exec call; processes that the program forks may exec."""
    for name in ("execv", "execve"):
        _patch(name)


def _patch(name: str) -> None:
    original = getattr(os, name)

    @wraps(original)
    def replaced(path: Any, *arguments: Any) -> Any:
        takeover = Takeover.current()
        if takeover is not None and not takeover.taken:
            raise NotServable(f"the program becomes another one: {os.fsdecode(path)}")
        return original(path, *arguments)

    setattr(os, name, replaced)
