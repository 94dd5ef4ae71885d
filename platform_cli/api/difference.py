"""What changed for clients between two releases."""

from __future__ import annotations

from .shape import Shape


class ToolsDifference(Shape):
    """The names of the tools that were `added`, `removed` or `described` otherwise; `required` has `tool.parameter` for
    each parameter that was optional, or not there. `breaking` says that a call that worked may fail, `lines` all of it
    for people.
    """

    added: list[str]
    removed: list[str]
    required: list[str]
    described: list[str]
    breaking: bool
    lines: list[str]
