"""Reads the name that a server file gives its server from its source, without importing anything."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..project_files.syntax import called

_CLASSES = ("FastMCP", "MCPServer", "Server")


def server_name(source: bytes) -> str | None:
    """Returns the one name that the source gives a server (`FastMCP("Expenses")`); None if there are
    several, or none.
    """
    names = set(_names(ast.parse(source)))
    return names.pop() if len(names) == 1 else None


def _names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node) in _CLASSES:
            named = [keyword.value for keyword in node.keywords if keyword.arg == "name"]
            for value in [*node.args[:1], *named]:
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield value.value
