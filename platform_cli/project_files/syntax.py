"""Interprets expressions of Python's syntax tree, for everything that reads source without importing it."""

from __future__ import annotations

import ast


def dotted(node: ast.expr) -> str:
    """Returns the dotted name that an expression is, such as `os.environ.get`; an empty text for
    any other expression.
    """
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    return ".".join([node.id, *parts]) if isinstance(node, ast.Name) else ""


def last_name(node: ast.expr) -> str:
    """Returns `session` for `server.request_context.session`, whatever it is an attribute of; empty if there is no
    name.
    """
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def called(call: ast.Call) -> str:
    """Returns the last part of the name that is called: `Thread` for `threading.Thread(...)`."""
    return last_name(call.func)


def text_of(node: ast.expr | None) -> str | None:
    """Returns the text of a string literal, None for any other expression."""
    value: object = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, str) else None


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((given.value for given in call.keywords if given.arg == name), None)
