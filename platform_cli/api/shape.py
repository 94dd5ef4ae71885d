"""The base of every shape.

A command needs shapes for its types alone, so it imports them under TYPE_CHECKING: before Python 3.12 they bring
typing_extensions, and a deploy of changed code takes a hundred times as long as that import.
"""

from __future__ import annotations

import sys

if sys.version_info >= (3, 12):
    from typing import TypedDict
else:
    # pydantic, by which the routes check their answers, takes no other.
    from typing_extensions import TypedDict


class Shape(TypedDict):
    """A route whose answer has other keys than its shape fails, instead of leaving them out without a word."""


# Inherited by every shape, as pydantic reads it; mypy knows no attributes of a TypedDict.
Shape.__pydantic_config__ = {"extra": "forbid"}  # type: ignore[attr-defined]
