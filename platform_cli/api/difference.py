"""Defines what changed for clients between two releases."""

from __future__ import annotations

from .shape import Shape


class ToolsDifference(Shape):
    """Holds the names of the tools that were `added` or `removed`, or are `described` in other words.

    `required` has `tool.parameter` for each parameter that was optional, or did not exist. `breaking` is True if a call
    that worked may fail, and `lines` tell all of it to people.
    """

    added: list[str]
    removed: list[str]
    required: list[str]
    described: list[str]
    breaking: bool
    lines: list[str]
