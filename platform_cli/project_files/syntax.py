"""What expressions of Python's syntax tree say, for everything that reads source and imports none of it."""

from __future__ import annotations

import ast


def dotted(node: ast.expr) -> str:
    """`os.environ.get` of an expression that is a name with attributes; the empty text of any other."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    return ".".join([node.id, *parts]) if isinstance(node, ast.Name) else ""


def last_name(node: ast.expr) -> str:
    """`session` of `server.request_context.session`, whatever it is an attribute of; empty where it has no name."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def called(call: ast.Call) -> str:
    """The last part of what is called: `Thread` of `threading.Thread(...)`."""
    return last_name(call.func)


def text_of(node: ast.expr | None) -> str | None:
    """The text that a literal is."""
    value: object = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, str) else None


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((given.value for given in call.keywords if given.arg == name), None)
