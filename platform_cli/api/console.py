"""Defines what the platform answers to `homeport console`."""

from __future__ import annotations

from .shape import Shape


class ConsoleCode(Shape):
    """Holds a `code` with which one browser opens the console at `url`, once, within `expires_in` seconds."""

    url: str
    code: str
    expires_in: int
