"""Defines the base of every shape.

Commands need shapes for types alone and import them under TYPE_CHECKING: before Python 3.12, shapes import
typing_extensions, and a deploy of changed code would wait for that import.
"""

from __future__ import annotations

import sys

if sys.version_info >= (3, 12):
    from typing import TypedDict
else:
    # Before 3.12, pydantic, with which the routes check their answers, accepts no other.
    from typing_extensions import TypedDict


class Shape(TypedDict):
    """Is the base of every shape; a route whose answer has other keys than its shape fails instead of omitting them."""


# Every shape inherits this for pydantic; mypy knows no attributes of a TypedDict.
Shape.__pydantic_config__ = {"extra": "forbid"}  # type: ignore[attr-defined]
