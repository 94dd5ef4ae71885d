"""A program that becomes another one (exec): packages do so whose server is a binary that they bring along."""

from __future__ import annotations

import os
from functools import wraps
from typing import Any

from .point import NotServable, Takeover


def install() -> None:
    """All of exec's forms come to one of these two; a process that the program has forked may become what it likes."""
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
